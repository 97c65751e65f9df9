"""What a transfer costs before it is run, from the settings alone; docs/costs.md is this command's output explained.

`python dev.py bench costs` prints the U-Net evaluations (samples through the network) and the memory of what is kept.
That they are what really happens is counted at the network in tests/host/test_cross_image_attention.py, and by
`python dev.py demo`, which leaves its count in demo.json.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from ..attention.windows import APPEARANCE_GUIDANCE, StepWindows
from ..developer.cli_output import echo
from ..inversion.schedule import leading_timesteps

STEPS, START_AT = 100, 32  # the paper's: 68 executed steps
REFERENCE_INVERSION = 2 * STEPS * 2  # two images, all steps, with and without text in forwards of their own
REFERENCE_TRANSFER = (STEPS - START_AT) * 2 * 3  # two passes over output, appearance and structure
LATENT = 4 * 64 * 64 * 4  # bytes of one fp32 latent at 512 px
HALF = 2  # bytes
LAYERS = {1: (3, 64 * 64, 320), 2: (3, 32 * 32, 640)}  # SD1.5 at 512 px: level -> layers, tokens, width
MEGABYTE = 10**6


@dataclass(frozen=True)
class CostPlan:
    """One output from already inverted images. `appearances` are all read on the same steps."""

    appearances: int = 1
    structure: bool = True
    guided: bool = True
    replayed: bool = False
    executed: int = STEPS - START_AT

    @property
    def windows(self) -> StepWindows:
        """At the papers' settings; in place of a noise level stands how much of the schedule is left."""
        return StepWindows.of(self._left, _left)

    @property
    def _left(self) -> list[float]:
        return [timestep / 999 for timestep in leading_timesteps(STEPS)[STEPS - self.executed :]] + [0.0]

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
        guided = APPEARANCE_GUIDANCE.steps(self._left, _left)
        return len(self.windows.reading.intersection(guided)) if self.guided else 0

    @property
    def references(self) -> int:
        """Forwards of appearances and structure."""
        if self.replayed:
            return self.executed * (self.appearances + self.structure)
        return self.structural + self.appearances * (len(self.reading) - self.structural)

    @property
    def total(self) -> int:
        """Output, twin and references."""
        return self.executed + self.unpatched + self.references


def _left(percent: float) -> float:
    """In place of ComfyUI's `percent_to_sigma`."""
    return 1 - percent


def inversion(images: int = 1, *, steps: int = STEPS - START_AT, guided: bool = True) -> int:
    """Evaluations for inverting: with guidance, each step with and without text."""
    return images * steps * (2 if guided else 1)


def grid(structures: int, appearances: int, *, executed: int = STEPS - START_AT) -> int:
    """Evaluations for every appearance on every structure in one batch, inversions of the structures included.

    What an image shows to the others is computed once for all the pairs that it is part of.
    """
    pair = CostPlan(executed=executed)
    shown = structures * pair.structural + appearances * (len(pair.reading) - pair.structural)
    outputs = structures * appearances * (pair.executed + pair.unpatched)
    return inversion(structures, steps=executed) + outputs + shown


def main(installation: object, arguments: Sequence[str]) -> int:
    """Print the tables."""
    default, reference = inversion() + CostPlan().total, REFERENCE_INVERSION + REFERENCE_TRANSFER
    echo(f"{'one pair at the defaults':44}{'reference':>10}{'ours':>8}{'share':>8}")
    for name, theirs, ours in (
        ("inverting", REFERENCE_INVERSION, inversion()),
        ("transfer", REFERENCE_TRANSFER, CostPlan().total),
        ("both", reference, default),
    ):
        echo(f"{name:44}{theirs:10}{ours:8}{ours / theirs:8.2f}")
    echo("")
    echo(f"{'one transfer, images inverted already':44}{'output':>10}{'unpatched':>11}{'references':>12}{'all':>8}")
    for name, plan in (
        ("defaults", CostPlan()),
        ("two appearances", CostPlan(appearances=2)),
        ("no appearance guidance (scale 1)", CostPlan(guided=False)),
        ("references replayed", CostPlan(replayed=True)),
    ):
        echo(f"{name:44}{plan.executed:10}{plan.unpatched:11}{plan.references:12}{plan.total:8}")
    echo("")
    for name, size in (
        (f"an inversion, {STEPS - START_AT} steps, 512 px, per image", (2 * (STEPS - START_AT) + 1) * LATENT),
        ("keys and values of a reference, one step, fp16", sum(2 * n * t * w * HALF for n, t, w in LAYERS.values())),
        ("one whole attention map, 64 x 64 positions, fp32", (64 * 64) ** 2 * 4),
    ):
        echo(f"{name:52}{size / MEGABYTE:8.1f} MB")
    return 0
