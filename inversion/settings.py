"""What a user may set of the inversions, and what it is where nothing is set."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from .defaults import INVERSION_CFG, START_AT, STEPS

Timesteps = Literal["consistent", "reference"]
"""Of DDIM: between the levels that sampling will visit, or between those of pix2pix-zero's reference code."""

Solver = Literal["auto", "ddim", "uni-inv"]
"""Of the deterministic inversion: DDIM, or Uni-Inv, which is for flow models alone; auto takes it there."""


@dataclass(frozen=True)
class DDPMSettings:
    """Of edit-friendly DDPM (Huberman-Spiegelglas et al., arXiv 2304.06140).

    steps: of the whole schedule. start_at_step: so many are left out at the noisy end. guidance: classifier-free, 1 is
        off. eta: 0..1, the noise of a step. seed: of the noise drawn for each level. keep_last_noise: of the very last
        step, None on flow models alone. levels_per_forward: noise levels that go through the network together,
        0 as many as fit into a GPU; changes memory and speed only.
    """

    steps: int = STEPS
    start_at_step: int = START_AT
    guidance: float = INVERSION_CFG
    eta: float = 1.0
    seed: int = 42
    keep_last_noise: bool | None = None
    levels_per_forward: int = 0


@dataclass(frozen=True)
class DDIMSettings:
    """Of the inversions without noise maps; see `DDPMSettings`."""

    steps: int = 50
    start_at_step: int = 0
    guidance: float = 1.0
    solver: Solver = "auto"
    timesteps: Timesteps = "consistent"

    @classmethod
    def reference_code(cls) -> DDIMSettings:
        """As pix2pix-zero's code."""
        return cls(timesteps="reference")
