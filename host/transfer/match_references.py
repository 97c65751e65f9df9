"""Objects and matches of two references before a run, as the transfers find them by themselves."""

from dataclasses import replace

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...correspondence.match import FIELD, TRANSPORT
from ...inversion.types import Inversion
from ..models.conditioning import unpack
from ..models.fingerprint import check_model
from ..models.plain_model import check_plain
from ..models.schedules import sigmas_tensor
from ..models.unet import decoder_levels
from ..runtime.model_runner import Denoise, run_guider, stock_guider
from .found_guidance import Found, Matching, find_guidance
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
    Costs one evaluation of every structure and two of every appearance. Raises ValueError for inversions of another
    model, for another number of images, and where the model is no U-Net that is known.
    """
    check_plain(model)
    decoder_levels(model)
    for inversion in (structure, appearance):
        check_model(inversion.fingerprint, model)
    if appearance.images not in (1, structure.images):
        raise ValueError(
            f"The structure holds {structure.images} image(s) and the appearance {appearance.images}. "
            "Invert as many appearances as structures, or one for all."
        )
    entry = Appearance(appearance, mask=structure_mask, appearance_mask=appearance_mask)
    positive, negative = (unpack(structure.conditioning, side) for side in ("positive", "negative"))
    guider = stock_guider(model, positive, negative, 1.0)
    sigmas = sigmas_tensor(structure.schedule)

    def find(denoise: Denoise, x: Tensor) -> list[Found]:
        call = ModelCall(guider, sigmas[:1].to(x), guider.model_options, 0)
        references = RecordedReference(structure), [RecordedReference(appearance)]
        return find_guidance(call, *references, [entry], AS_FOUND_BY[method])

    with torch.inference_mode():
        (found,) = run_guider(guider, torch.zeros_like(structure.x0), find, sigmas=sigmas)
    connected = {"structure_mask": structure_mask, "appearance_mask": appearance_mask}
    return replace(found, **{name: mask for name, mask in connected.items() if mask is not None})
