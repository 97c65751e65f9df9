"""When an edit is on: windows over the executed sampling steps, counted from 0.

The defaults of Cross-Image Attention in executed steps: the released code compares a counter that lags one step
behind, so that its "10 <= step < 70" is steps 11..70 here.
"""

from __future__ import annotations

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
