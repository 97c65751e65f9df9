"""Eye-for-an-eye on pairs: by matches of the features themselves, by DIFT, and by the truth.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import comfy.samplers
import torch
from torch import Tensor

from ...attention.windows import Window
from ...correspondence.correspondence import Correspondence
from ...correspondence.match import FIELD, NEAREST, TRANSPORT
from ...host.models.conditioning import unpack
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.found_guidance import Matching
from ...host.transfer.plan import Appearance
from ...host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance
from ...pocket.truth import true_correspondence
from .inverted import FOUND, OBJECT, THREE_SEGMENTS, TRUE, InvertedPairs, Models
from .pairs import RenderedPairs
from .sampled import resume

TEXT_GUIDANCE = 2.5
ADAIN = Window(0.81, 1.0)  # executed step 49 of 68


@dataclass(frozen=True)
class Rearrangement:
    """A transfer by rearranged features. masks: by name (see `SEGMENTATIONS`), those that bind AdaIN to the animal.

    inside: matches are sought and painted within these masks only, given to the method. true_matches: the matches are
    the renderer's.
    """

    name: str
    settings: RearrangementSettings = RearrangementSettings()
    masks: str = TRUE
    inside: bool = True
    true_matches: bool = False


DIFT = RearrangementSettings(match_source="dift")
FINDING = RearrangementSettings(find=True)
MATCHERS = (
    ("transport", FINDING.matching),
    ("transport, between positions", Matching(TRANSPORT, within=True)),
    ("the field", Matching(FIELD, within=True)),
    ("the field, whole positions", Matching(FIELD, within=True, whole=True)),
    ("nearest neighbors", Matching(NEAREST, within=True)),
)
"""By what the clean images are matched once."""
FOUND_BY_ITSELF = (
    Rearrangement("eye-for-an-eye, found", FINDING, masks=OBJECT, inside=False),
    *(
        Rearrangement(f"eye-for-an-eye, matches by {by}, true masks", replace(FINDING, matching=matching))
        for by, matching in MATCHERS
    ),
)
REARRANGEMENTS = (
    *FOUND_BY_ITSELF,
    Rearrangement("eye-for-an-eye", masks=FOUND, inside=False),
    Rearrangement("eye-for-an-eye, masks of three segments", masks=THREE_SEGMENTS),  # as in the demo
    Rearrangement("eye-for-an-eye, true masks"),
    Rearrangement("eye-for-an-eye, DIFT matches", DIFT, masks=FOUND, inside=False),
    Rearrangement("eye-for-an-eye, DIFT matches, true masks", DIFT),
    Rearrangement("eye-for-an-eye, true matches, true masks", true_matches=True),
)


def rearrange(models: Models, pairs: InvertedPairs, variant: Rearrangement) -> Tensor:
    """The output images [B, H, W, 3] of one variant."""
    masks = pairs.masks[variant.masks]
    appearance = Appearance(
        pairs.appearance,
        mask=masks.structure if variant.inside else None,
        appearance_mask=masks.appearance if variant.inside else None,
        correspondence=true_matches(pairs.truth) if variant.true_matches else None,
    )
    guider = comfy.samplers.CFGGuider(
        rearrange_appearance(models.model, [appearance], pairs.structure, variant.settings)
    )
    guider.set_conds(*(unpack(pairs.structure.conditioning, side) for side in ("positive", "negative")))
    guider.set_cfg(TEXT_GUIDANCE)
    adain = AdaINOperation(pairs.appearance, masks.structure, masks.appearance, ADAIN)
    return resume(models, pairs.structure, guider, adain)


def true_matches(truth: RenderedPairs) -> Correspondence:
    """The renderer's own answer, pixel by pixel; where two animals face opposite ways they count as symmetrical."""
    index = torch.stack(
        [
            true_correspondence(truth.structure, truth.appearance, i, i, mirror=not pair.same_side)
            for i, pair in enumerate(truth.pairs)
        ]
    )
    known = (index >= 0).float()
    size = (index.shape[-2], index.shape[-1])
    return Correspondence(index[:, None], known[:, None], known, known, size, size, size)
