"""What a transfer costs before it is run, from the settings alone; docs/costs.md is this command's output explained.

`python dev.py bench costs` prints the U-Net evaluations (samples through the network), the forwards they take on a GPU
with room, and the memory of what is kept.
That they are what really happens is counted at the network in tests/host/test_evaluations.py, and by
`python dev.py demo`, which leaves its count in demo.json.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace

from ..attention.windows import APPEARANCE_GUIDANCE, StepWindows
from ..developer.cli_output import echo
from ..guidance.appearance import GUIDANCE_EVERY
from ..host.runtime.forward_size import MOST_ROWS
from ..inversion.defaults import INVERSION_CFG, PAPER_CFG, PAPER_START_AT, PAPER_STEPS, START_AT, STEPS
from ..inversion.schedule import leading_timesteps

REFERENCE_INVERSION = 2 * PAPER_STEPS * 2  # two images, all steps, with and without text in forwards of their own
REFERENCE_TRANSFER = (PAPER_STEPS - PAPER_START_AT) * 2 * 3  # two passes over output, appearance and structure
LATENT = 4 * 64 * 64 * 4  # bytes of one fp32 latent at 512 px
HALF = 2  # bytes
LAYERS = {1: (3, 64 * 64, 320), 2: (3, 32 * 32, 640)}  # SD1.5 at 512 px: level -> layers, tokens, width
MEGABYTE = 10**6


@dataclass(frozen=True)
class CostPlan:
    """One transfer, the structure's inversion included. `appearances` are all read on the same steps.

    every: of the unpatched pass, which runs on every n-th guided step.
    """

    steps: int = STEPS
    start_at: int = START_AT
    cfg: float = INVERSION_CFG
    every: int = GUIDANCE_EVERY
    appearances: int = 1
    structure: bool = True
    guided: bool = True
    replayed: bool = False

    @property
    def executed(self) -> int:
        """Steps that are run: the output's own evaluations."""
        return self.steps - self.start_at

    @property
    def inversion(self) -> int:
        """To invert the structure; with cfg each step with and without text. An appearance is only noised."""
        return self.executed * (1 if self.cfg == 1.0 else 2)

    @property
    def windows(self) -> StepWindows:
        """In place of a noise level stands how much of the schedule is left."""
        return StepWindows.of(self._left, _left)

    @property
    def _left(self) -> list[float]:
        return [timestep / 999 for timestep in leading_timesteps(self.steps)[self.start_at :]] + [0.0]

    @property
    def reading(self) -> list[int]:
        """The executed steps that look at a reference."""
        return sorted(self.windows.reading)

    @property
    def structural(self) -> int:
        """How many of them look at the structure instead of the appearances."""
        return len(self.windows.structural) if self.structure else 0

    @property
    def unpatched(self) -> int:
        """Passes without the transfer, which appearance guidance goes away from."""
        guided = len(self.windows.reading.intersection(APPEARANCE_GUIDANCE.steps(self._left, _left)))
        return math.ceil(guided / self.every) if self.guided else 0

    @property
    def references(self) -> int:
        """Forwards of appearances and structure."""
        if self.replayed:
            return self.executed * (self.appearances + self.structure)
        return self.structural + self.appearances * (len(self.reading) - self.structural)

    @property
    def transfer(self) -> int:
        """Output, unpatched pass and references."""
        return self.executed + self.unpatched + self.references

    @property
    def total(self) -> int:
        """The inversion and the transfer."""
        return self.inversion + self.transfer

    @property
    def forwards(self) -> int:
        """Of a GPU with room: levels of an image share forwards, to invert it and to read it, both texts together."""
        levels = [self.executed, self.structural, *[len(self.reading) - self.structural] * self.appearances]
        shared = sum(math.ceil(count / MOST_ROWS) for count in levels)
        if self.replayed:
            shared = math.ceil(self.executed / MOST_ROWS) + self.references
        return self.executed + self.unpatched + shared


PAPER = CostPlan(PAPER_STEPS, PAPER_START_AT, PAPER_CFG, every=1)
DRAFT = CostPlan(steps=10, start_at=3)


def _left(percent: float) -> float:
    """In place of ComfyUI's `percent_to_sigma`."""
    return 1 - percent


def grid(structures: int, appearances: int, pair: CostPlan) -> int:
    """Evaluations for every appearance on every structure in one batch, inversions of the structures included.

    What an image shows to the others is computed once for all the pairs that it is part of.
    """
    references = structures * pair.structural + appearances * (len(pair.reading) - pair.structural)
    outputs = structures * appearances * (pair.executed + pair.unpatched)
    return structures * pair.inversion + outputs + references


def main(installation: object, arguments: Sequence[str]) -> int:
    """Print the tables."""
    theirs = REFERENCE_INVERSION + REFERENCE_TRANSFER
    heads = ("inverting", 10), ("output", 8), ("unpatched", 11), ("references", 12), ("all", 6), ("share", 7)
    echo(f"{'one pair':40}" + "".join(f"{word:>{width}}" for word, width in (*heads, ("forwards", 10))))
    for name, plan in (
        ("defaults, 20 steps", CostPlan()),
        ("two appearances", CostPlan(appearances=2)),
        ("unpatched pass on every step", CostPlan(every=1)),
        ("no appearance guidance (scale 1)", CostPlan(guided=False)),
        ("draft, 10 steps", DRAFT),
        ("the paper's settings", PAPER),
        ("the same, references replayed", replace(PAPER, replayed=True)),
    ):
        numbers = f"{plan.inversion:10}{plan.executed:8}{plan.unpatched:11}{plan.references:12}{plan.total:6}"
        echo(f"{name:40}{numbers}{plan.total / theirs:7.2f}{plan.forwards:10}")
    echo(f"{'reference code':40}{REFERENCE_INVERSION:10}{REFERENCE_TRANSFER:31}{theirs:6}{1:7.2f}")
    echo("")
    executed = CostPlan().executed
    for name, size in (
        (f"an inversion, {executed} steps, 512 px, per image", (2 * executed + 1) * LATENT),
        ("keys and values of a reference, one step, fp16", sum(2 * n * t * w * HALF for n, t, w in LAYERS.values())),
        ("one whole attention map, 64 x 64 positions, fp32", (64 * 64) ** 2 * 4),
    ):
        echo(f"{name:52}{size / MEGABYTE:8.1f} MB")
    return 0
