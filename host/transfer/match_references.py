"""Objects and matches of two references before a run, as the transfers find them by themselves."""

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...correspondence.match import FIELD, TRANSPORT
from ...inversion.types import Inversion
from ..matching.attention_matches import check_as_many
from ..matching.recipes import recipe_of
from ..models.conditioning import unpack
from ..models.fingerprint import check_model
from ..models.plain_model import check_plain
from ..models.schedules import sigmas_tensor
from ..runtime.model_runner import Denoise, run_guider, stock_guider
from .found_guidance import Found, Matching
from .given_or_found import GivenOrFound
from .plan import Appearance
from .references import ModelCall, RecordedReference
from .semantic_rearrangement import RearrangementSettings

AS_FOUND_BY = {FIELD: Matching(), TRANSPORT: RearrangementSettings().matching}
"""What Cross-Image Attention finds, and what Semantic Rearrangement finds."""


def match_references(
    model: ModelPatcher,
    structure: Inversion,
    appearance: Inversion,
    method: str = FIELD,
    *,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
) -> Found:
    """The objects of both and the matches of the structure with the appearance, or with its mirror image.

    method: of `AS_FOUND_BY`. structure_mask, appearance_mask: MASK [B or 1, H, W], in place of what would be found.
    Costs one evaluation of every structure and two of every appearance, on a transformer some times as many. Raises
    ValueError for inversions of another model, for another number of images, and for a model that is not known.
    """
    check_plain(model)
    recipe_of(model)  # raises where the network is not known
    for inversion in (structure, appearance):
        check_model(inversion.fingerprint, model)
    check_as_many(structure, appearance)
    entry = Appearance(appearance, mask=structure_mask, appearance_mask=appearance_mask)
    known = GivenOrFound([entry], find=True, matching=AS_FOUND_BY[method])
    positive, negative = (unpack(structure.conditioning, side) for side in ("positive", "negative"))
    guider = stock_guider(model, positive, negative, 1.0)
    sigmas = sigmas_tensor(structure.schedule)

    def find(denoise: Denoise, x: Tensor) -> None:
        call = ModelCall(guider, sigmas[:1].to(x), guider.model_options, 0)
        known.prepare(call, RecordedReference(structure), [RecordedReference(appearance)])

    with torch.inference_mode():
        run_guider(guider, torch.zeros_like(structure.x0), find, sigmas=sigmas)
    return Found(known.output_mask(0), known.appearance_mask(0), known.matches(0))
