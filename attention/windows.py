"""When an edit is on: windows over the noise schedule, as ComfyUI's own nodes have them, and the steps of a run inside
them.

A window is a fraction of the whole schedule, 0 the noisiest level and 1 the image. So it means the same for any number
of steps, any scheduler, and whatever an inversion leaves out. The defaults are the papers' steps: 100 steps of which
the first 32 are left out begin cross-image attention at executed step 11, guidance at 10 and AdaIN at 20.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

PercentToSigma = Callable[[float], float]
"""`percent_to_sigma` of ComfyUI's model_sampling: the noise level at a fraction of the schedule."""


@dataclass(frozen=True)
class Window:
    """start_percent..end_percent of the noise schedule, 0..1. Empty where the end does not lie behind the start."""

    start_percent: float = 0.0
    end_percent: float = 1.0

    def contains(self, sigma: float, percent_to_sigma: PercentToSigma) -> bool:
        """Whether a step from noise level `sigma` is inside."""
        return percent_to_sigma(self.start_percent) >= sigma > percent_to_sigma(self.end_percent)

    def steps(self, sigmas: Sequence[float], percent_to_sigma: PercentToSigma) -> list[int]:
        """The steps inside of a run along these noise levels [S+1]; step i goes from sigmas[i] to sigmas[i+1]."""
        return [i for i, sigma in enumerate(sigmas[:-1]) if self.contains(sigma, percent_to_sigma)]

    def __str__(self) -> str:
        return f"{self.start_percent:g} to {self.end_percent:g} of the schedule"


def step_at_percent(percent: float, sigmas: Sequence[float], percent_to_sigma: PercentToSigma) -> int:
    """The first step of a run along `sigmas` [S+1] that is no noisier than `percent` of the schedule, else the last."""
    noisiest = percent_to_sigma(percent)
    return next((i for i, sigma in enumerate(sigmas[:-1]) if sigma <= noisiest), len(sigmas) - 2)


ATTENTION = Window(0.43, 1.0)
"""Cross-image attention and semantic rearrangement, in both decoder levels."""
APPEARANCE_GUIDANCE = Window(0.42, 1.0)
"""Appearance guidance; without effect before the attention begins."""
ADAIN = Window(0.52, 1.0)
"""AdaIN after the step."""
DEVIATION = Window(0.24, 0.42)
"""Latent deviation: the paper's 12 <= i < 21 of 50 steps."""

SEGMENTATION_AT, WORD_MAP_AT, MATCHES_AT = 0.52, 0.25, 0.92
"""Where attention is read: the papers' executed step 20 of 68 for segments (Cross-Image Attention), 12 of 50 for the
map of a word (prompt-to-prompt's local blend); late for matches, since they are clear there.
"""

AUTO = "auto"
"""The blocks of a transformer that its family names."""

STRUCTURE_SHARE, STRUCTURE_END = 0.2, 0.73
"""Which part of the attention's steps reads the structure, and until where in the schedule."""


@dataclass(frozen=True)
class StepWindows:
    """The steps of one run that read references, and those of them that read the structure in place of appearances."""

    reading: frozenset[int]
    structural: frozenset[int]

    @classmethod
    def of(
        cls,
        sigmas: Sequence[float],
        percent_to_sigma: PercentToSigma,
        window: Window = ATTENTION,
        structure_share: float = STRUCTURE_SHARE,
        structure_end_percent: float = STRUCTURE_END,
    ) -> StepWindows:
        """Convert fractions of the schedule to the steps of a run along the noise levels `sigmas` [S+1].

        The structure's steps are spread evenly over the window, of which the first is one: with the papers' steps 11,
        16, 21, 26, 31 and 36. structure_share 0 is none of them, 1 all.
        """
        reading = window.steps(sigmas, percent_to_sigma)
        early = set(Window(window.start_percent, structure_end_percent).steps(sigmas, percent_to_sigma))
        structural = {step for k, step in enumerate(reading) if step in early and _is_due(k, structure_share)}
        return cls(frozenset(reading), frozenset(structural))

    def part(self, first: int, steps: int) -> StepWindows:
        """Those of a run of `steps` steps that is this run from its step `first` on."""
        reading, structural = (
            frozenset(step - first for step in inside if first <= step < first + steps)
            for inside in (self.reading, self.structural)
        )
        return StepWindows(reading, structural)


def _is_due(k: int, fraction: float) -> bool:
    """Whether the k-th step is one of those that are spread so that `fraction` of all are, beginning with the first."""
    if fraction <= 0:
        return False
    rounded = 1e-9  # 5 * 0.2 is not quite 1
    return k == 0 or math.floor(k * fraction + rounded) != math.floor((k - 1) * fraction + rounded)
