"""When an edit is on: windows over the executed sampling steps, counted from 0.

The defaults of Cross-Image Attention in executed steps: the reference code compares a counter that lags one step
behind, so that its "10 <= step < 70" is steps 11..70 here.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Window:
    """Executed steps first..last, both included. Empty when last < first."""

    first: int
    last: int

    def contains(self, i: int) -> bool:
        """True when the edit is on at executed step i."""
        return self.first <= i <= self.last

    def steps_in(self, total: int) -> range:
        """The steps of this window that a run of `total` steps executes."""
        first = max(self.first, 0)
        return range(first, max(first, min(self.last + 1, total)))

    def over(self, counted: Sequence[int]) -> Window:
        """This window in the steps of another run. counted: for each step of that run, the step in whose range of noise
        levels it starts, in the count of this window; rising."""
        inside = [step for step, number in enumerate(counted) if self.contains(number)]
        return Window(inside[0], inside[-1]) if inside else Window(0, -1)


LEVEL_2 = Window(11, 70)
"""Cross-image attention in the decoder layers at half the latent's resolution (32x32 tokens of a 512 px SD1.5)."""
LEVEL_1 = Window(11, 90)
"""Cross-image attention in the decoder layers at the latent's resolution (64x64 tokens of a 512 px SD1.5)."""
APPEARANCE_GUIDANCE = Window(10, 90)
"""Appearance guidance; without effect before cross-image attention begins."""
ADAIN = Window(20, 99)
"""AdaIN after the step."""

DEVIATION = Window(12, 20)
"""Latent deviation, of 50 steps: the paper's 12 <= i < 21."""


def reads_structure(i: int, first: int, every: int = 5, until: int = 40) -> bool:
    """True when step i takes keys and values from the structure image instead of the appearance image.

    That is every `every` steps from `first` (the first step with cross-image attention) up to `until`, included:
    11, 16, 21, 26, 31, 36 for first = 11. every = 0 means never.
    """
    return every > 0 and first <= i <= until and (i - first) % every == 0


def structure_steps(counted: Sequence[int], first: int, every: int = 5, until: int = 40) -> frozenset[int]:
    """The steps of a run that read the structure, for a run whose steps are `counted` as in `Window.over`.

    first and until are counted on that schedule. Where the run takes its steps one by one, so is `every`; else every
    `every`-th step of the run itself, from the first one at or behind `first`, so that it remains one in `every`.
    """
    steps = range(len(counted))
    if all(counted[step] == counted[0] + step for step in steps):
        return frozenset(step for step in steps if reads_structure(counted[step], first, every, until))
    start = next((step for step in steps if counted[step] >= first), len(counted))
    until = max((step for step in steps if counted[step] <= until), default=-1)
    return frozenset(step for step in steps if reads_structure(step, start, every, until))
