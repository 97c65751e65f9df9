"""Our transfer with the nodes' defaults, and with one thing changed at a time.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

from ...attention.windows import ADAIN
from ...host.models.conditioning import unpack
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
from ...host.transfer.cross_image_attention import Appearance, CrossImageSettings, transfer_appearance
from .inverted import FOUND, THREE_SEGMENTS, TRUE, InvertedPairs, Models
from .sampled import resume

NO_GUIDANCE = GuidanceSettings(scale=1.0, end_scale=1.0)


@dataclass(frozen=True)
class Variant:
    """A transfer. masks: those that bind AdaIN to the animal, by name (see `SEGMENTATIONS`); None is no AdaIN at all.
    inside: the appearance paints only where the structure's mask is.
    """

    name: str
    settings: CrossImageSettings = CrossImageSettings()
    guidance: GuidanceSettings = GuidanceSettings()
    masks: str | None = FOUND
    inside: bool = False


PAPER = GuidanceSettings.reference_code()
AT_PAPER_SETTINGS = (
    Variant("ours, paper's settings", guidance=PAPER),
    Variant("ours, paper's settings, true masks", guidance=PAPER, masks=TRUE),
    Variant("ours, paper's settings, references replayed", settings=CrossImageSettings(replayed=True), guidance=PAPER),
)
VARIANTS = (
    Variant("ours"),
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
    appearance = Appearance(pairs.appearance, mask=masks.structure if masks and variant.inside else None)
    patched = transfer_appearance(models.model, [appearance], pairs.structure, variant.settings)
    guider = AppearanceGuider(patched, unpack(pairs.structure.conditioning, "positive"), None, variant.guidance)
    adain = AdaINOperation(pairs.appearance, masks.structure, masks.appearance, ADAIN) if masks else None
    return resume(models, pairs.structure, guider, adain)
