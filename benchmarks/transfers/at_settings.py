"""The transfers at other numbers of steps, from two images to an image.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from comfy_extras.nodes_custom_sampler import BasicScheduler
from torch import Tensor

from ...host.models.schedules import schedule_of
from ...host.transfer.appearance_guider import GuidanceSettings
from ...host.transfer.cross_image_attention import CrossImageSettings
from ...host.transfer.latent_deviation import DeviationSettings
from ...inversion.defaults import INVERSION_CFG, PAPER_CFG, PAPER_START_AT, PAPER_STEPS, START_AT, STEPS
from .fine_grained import PAPER as PAPER_DEVIATION
from .fine_grained import UNTIL_LATER, Deviation, deviate, deviate_unguided
from .inverted import TRUE, InvertedPairs, Masks, Models, invert, noised
from .pairs import RenderedPairs
from .rearranged import TEXT_GUIDANCE, Rearrangement, rearrange
from .variants import Variant, transfer

DENOISE = 0.6
"""Of the schedule, what few steps run through."""
CROSS_IMAGE, REARRANGEMENT, DEVIATION = "Cross-Image Attention", "Semantic Rearrangement", "Latent Deviation"
FromImages = Callable[[Models, RenderedPairs], Tensor]


@dataclass(frozen=True)
class Inverting:
    """steps without the first start_at; or `few` steps as ComfyUI's Basic Scheduler has them, where that is not 0."""

    steps: int = STEPS
    start_at: int = START_AT
    cfg: float = INVERSION_CFG
    few: int = 0

    def __call__(self, models: Models, truth: RenderedPairs) -> InvertedPairs:
        """Both sides of the pairs, the appearance noised, with the true masks."""
        sigmas = _few_sigmas(models, self.few) if self.few else None
        schedule = schedule_of(models.model, steps=self.steps, start_at=self.start_at, sigmas=sigmas)
        structure = invert(models, truth.structure.image, truth.structure_nouns, schedule, self.cfg)
        appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
        masks = {TRUE: Masks(truth.structure.mask, truth.appearance.mask)}
        return InvertedPairs(truth, structure, appearance, masks)


def _few_sigmas(models: Models, steps: int) -> Tensor:
    return BasicScheduler.execute(models.model, "sgm_uniform", steps, DENOISE)[0]


def _cross_image(inverting: Inverting, every: int = GuidanceSettings.every, structure: bool = True) -> FromImages:
    settings = CrossImageSettings() if structure else CrossImageSettings(structure_share=0.0)
    variant = Variant("", settings, GuidanceSettings(every=every), TRUE)
    return lambda models, truth: transfer(models, inverting(models, truth), variant)


def _rearranged(inverting: Inverting) -> FromImages:
    return lambda models, truth: rearrange(models, inverting(models, truth), Rearrangement("", masks=TRUE))


def _only_noised(models: Models, truth: RenderedPairs) -> InvertedPairs:
    """Both sides read as they are, with the true masks; Latent Deviation inverts the structure itself."""
    schedule = schedule_of(models.model, steps=STEPS)
    structure = noised(models, truth.structure.image, truth.structure_nouns, schedule)
    appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
    return InvertedPairs(truth, structure, appearance, {TRUE: Masks(truth.structure.mask, truth.appearance.mask)})


def _deviated(steps: int, settings: DeviationSettings) -> FromImages:
    variant = Deviation("", settings)
    return lambda models, truth: deviate_unguided(models, _only_noised(models, truth), variant, steps)


def _deviated_as_in_the_paper(models: Models, truth: RenderedPairs) -> Tensor:
    return deviate(models, _only_noised(models, truth), Deviation("", PAPER_DEVIATION))


PAPER = Inverting(PAPER_STEPS, PAPER_START_AT, PAPER_CFG)
SETTINGS: dict[str, FromImages] = {
    f"{CROSS_IMAGE}, the paper's settings": _cross_image(PAPER, every=1),
    f"{CROSS_IMAGE}, 50 steps": _cross_image(Inverting(50, 16)),
    f"{CROSS_IMAGE}, 20 steps": _cross_image(Inverting()),
    f"{CROSS_IMAGE}, 20 steps, every step unpatched": _cross_image(Inverting(), every=1),
    f"{CROSS_IMAGE}, 10 steps": _cross_image(Inverting(10, 3)),
    **{
        f"{CROSS_IMAGE}, {steps} steps, no structure injection": _cross_image(
            Inverting(few=steps), every=1, structure=False
        )
        for steps in (8, 6, 4)
    },
    f"{REARRANGEMENT}, the paper's settings": _rearranged(Inverting(PAPER_STEPS, PAPER_START_AT, TEXT_GUIDANCE)),
    f"{REARRANGEMENT}, 20 steps": _rearranged(Inverting()),
    f"{REARRANGEMENT}, 10 steps": _rearranged(Inverting(10, 3)),
    **{f"{REARRANGEMENT}, {steps} steps": _rearranged(Inverting(few=steps)) for steps in (8, 4)},
    f"{DEVIATION}, the paper's settings": _deviated_as_in_the_paper,
    f"{DEVIATION}, 50 steps": _deviated(50, DeviationSettings()),
    **{
        f"{DEVIATION}, {steps} steps, until 0.6": _deviated(steps, DeviationSettings(window=UNTIL_LATER))
        for steps in (20, 10)
    },
}
"""By name, method first. Few steps have no room for steps that read the structure, and guide on every step."""
ON_FEWER_PAIRS = {f"{DEVIATION}, the paper's settings": 16}
"""Null text learns for ten minutes of a core on as many pairs as the others are measured on."""
