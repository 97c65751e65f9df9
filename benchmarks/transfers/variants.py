"""Our transfer with the nodes' defaults, and with one thing changed at a time.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from ...attention.windows import ADAIN
from ...host.models.conditioning import unpack
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
from ...host.transfer.cross_image_attention import Appearance, CrossImageSettings, transfer_appearance
from .given_matches import GivenMatches, by_the_field, damaged, given_truth
from .inverted import FOUND, OBJECT, THREE_SEGMENTS, TRUE, InvertedPairs, Masks, Models
from .sampled import resume

NO_GUIDANCE = GuidanceSettings(scale=1.0, end_scale=1.0)


@dataclass(frozen=True)
class Variant:
    """A transfer. masks: those that bind AdaIN to the animal, by name (see `SEGMENTATIONS`); None is no AdaIN at all.
    inside: the appearance paints only where the structure's mask is. keys: and is read only where its own is.
    read_everywhere: it is read everywhere, also where an object is found. matches: those that are given, if any.
    """

    name: str
    settings: CrossImageSettings = CrossImageSettings()
    guidance: GuidanceSettings = GuidanceSettings()
    masks: str | None = FOUND
    inside: bool = False
    keys: bool = False
    read_everywhere: bool = False
    matches: GivenMatches | None = None


PAPER = GuidanceSettings.reference_code()
AT_PAPER_SETTINGS = (
    Variant("ours, paper's settings", guidance=PAPER),
    Variant("ours, paper's settings, true masks", guidance=PAPER, masks=TRUE),
    Variant("ours, paper's settings, references replayed", settings=CrossImageSettings(replayed=True), guidance=PAPER),
)
FINDING = CrossImageSettings(find=True)
WHOLE = {"masks": TRUE, "inside": True, "keys": True}
FOUND_BY_ITSELF = (
    Variant("ours, found", settings=FINDING, masks=OBJECT),
    Variant("ours, found, without matches", settings=replace(FINDING, match_width=0.0), masks=OBJECT),
    Variant("ours, found, matches do not fade", settings=replace(FINDING, fade=False), masks=OBJECT),
    Variant("ours, found matches, true masks, keys masked", settings=FINDING, **WHOLE),
    Variant("ours, true matches, true masks, keys masked", matches=given_truth, **WHOLE),
    Variant("ours, true masks, keys masked", **WHOLE),
    Variant("ours, masks by Find Object", masks=OBJECT),
)
DAMAGED = tuple(
    Variant(
        f"ours, found, {percent} % of matches wrong{how}",
        settings=replace(FINDING, fade=fade),
        masks=OBJECT,
        matches=damaged(percent / 100),
    )
    for percent in (10, 30, 50)
    for fade, how in ((True, ""), (False, ", do not fade"))
)
WITHOUT_A_STEP = (
    Variant("ours, found, keys not masked", settings=FINDING, masks=OBJECT, read_everywhere=True),
    Variant("ours, found, not mirrored", settings=FINDING, masks=OBJECT, matches=by_the_field(mirroring=False)),
)
VARIANTS = (
    Variant("ours"),
    *FOUND_BY_ITSELF,
    *DAMAGED,
    *WITHOUT_A_STEP,
    Variant("ours, no contrast", settings=CrossImageSettings(contrast=1.0)),
    Variant("ours, no guidance", guidance=NO_GUIDANCE),
    Variant("ours, no AdaIN", masks=None),
    Variant("ours, no structure injection", settings=CrossImageSettings(structure_share=0.0)),
    Variant("ours, unpatched pass on every step", guidance=GuidanceSettings(every=1)),
    Variant("ours, true masks", masks=TRUE),
    Variant("ours, masks of three segments", masks=THREE_SEGMENTS),
    Variant("ours, masks of three segments, inside", masks=THREE_SEGMENTS, inside=True),
    *AT_PAPER_SETTINGS,
    Variant("AdaIN only", settings=CrossImageSettings(strength=0.0)),
    Variant("replay only", settings=CrossImageSettings(strength=0.0), masks=None),
)


def transfer(models: Models, pairs: InvertedPairs, variant: Variant) -> Tensor:
    """The output images [B, H, W, 3] of one variant."""
    masks = pairs.masks[variant.masks] if variant.masks else None
    appearance = Appearance(
        pairs.appearance,
        mask=masks.structure if masks and variant.inside else None,
        appearance_mask=_read(pairs, masks, variant),
        correspondence=variant.matches(models, pairs) if variant.matches else None,
    )
    patched = transfer_appearance(models.model, [appearance], pairs.structure, variant.settings)
    guider = AppearanceGuider(patched, unpack(pairs.structure.conditioning, "positive"), None, variant.guidance)
    adain = AdaINOperation(pairs.appearance, masks.structure, masks.appearance, ADAIN) if masks else None
    return resume(models, pairs.structure, guider, adain)


def _read(pairs: InvertedPairs, masks: Masks | None, variant: Variant) -> Tensor | None:
    """What of the appearance may be read."""
    if variant.read_everywhere:
        return torch.ones_like(pairs.truth.appearance.mask)
    return masks.appearance if masks and variant.keys else None
