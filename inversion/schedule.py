"""The noise levels of a run, and what they mean for the model: x = a*x0 + b*eps.

Sampling code is written on the pair (a, b) alone, so that eps, v and flow models share it. `x` is in ComfyUI's
scaling (x0 + sigma*eps, or (1 - sigma)*x0 + sigma*eps for flow models). The papers write x_t = x / sqrt(1 + sigma^2)
with alpha_bar = 1 / (1 + sigma^2); every step formula used here is the same in both scalings (see `step.py`).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

SIGMA_RTOL = 1e-3
"""Relative distance of two sigmas that are one level: more than single precision moves them, less than a step."""

TRAINING_STEPS = 1000
"""Timesteps that Stable Diffusion is trained with."""

SMALLEST_SD_SIGMA = math.sqrt(0.00085 / 0.99915)
"""Sigma of timestep 0 of Stable Diffusion 1.x, 2.x and XL: alpha_bar[0] = 1 - 0.00085."""


@dataclass(frozen=True)
class Schedule:
    """Decreasing noise levels and the kind of model that they belong to.

    sigmas: S+1 noise levels, strictly decreasing. The last one is 0.0, or > 0 when the run stops part of the way.
    flow: False for eps and v models, x = x0 + sigma*eps; True for flow models, x = (1 - sigma)*x0 + sigma*eps.
    finest: the smallest sigma that the model was trained on. A run that ends at 0 takes the finished image for a
        sample of this level, as diffusers does with set_alpha_to_one=False; otherwise the last step has no variance
        and edit-friendly inversion (arXiv 2304.06140) could not store a noise map for it.

    Raises ValueError when the levels cannot be sampled.
    """

    sigmas: tuple[float, ...]
    flow: bool = False
    finest: float = SMALLEST_SD_SIGMA

    def __post_init__(self) -> None:
        sigmas = tuple(float(sigma) for sigma in self.sigmas)
        object.__setattr__(self, "sigmas", sigmas)
        if len(sigmas) < 2:
            raise ValueError(
                f"A schedule needs at least one step, that is two noise levels, but has {len(sigmas)} level(s); "
                "raise the number of steps of the scheduler."
            )
        if not all(map(math.isfinite, sigmas)):
            raise ValueError("The schedule holds a noise level that is not a finite number; use another scheduler.")
        for i in range(len(sigmas) - 1):
            if sigmas[i + 1] >= sigmas[i]:
                raise ValueError(
                    f"The noise levels must decrease, but level {i} is {sigmas[i]:.6g} and level {i + 1} is "
                    f"{sigmas[i + 1]:.6g}; connect SIGMAS that run from noisy to clean (not flipped)."
                )
        if sigmas[-1] < 0:
            raise ValueError(f"The last noise level must be 0 or more, but is {sigmas[-1]:.6g}; use another scheduler.")
        if self.flow and sigmas[0] > 1:
            raise ValueError(
                f"The noise levels of a flow model lie in 0..1, but the first one is {sigmas[0]:.6g}; "
                "make the SIGMAS with the scheduler of this model."
            )
        if not (math.isfinite(self.finest) and self.finest > 0):
            raise ValueError(f"The model's smallest noise level must be above 0, but is {self.finest}.")

    @property
    def steps(self) -> int:
        """S, the number of sampling steps."""
        return len(self.sigmas) - 1

    @property
    def ends_at_image(self) -> bool:
        """True when the last level is the finished image (sigma 0), False for a run that stops part of the way."""
        return self.sigmas[-1] == 0

    def pair(self, i: int) -> tuple[float, float]:
        """(a, b) of level i in 0..S, with x = a*x0 + b*eps, in double precision.

        The finished image stands at level s0 = finest, in the papers' scaling: (1, s0) / sqrt(1 + s0^2) is
        (sqrt(alpha_bar[0]), sqrt(1 - alpha_bar[0])). Where the last step already starts below that level, s0 is
        half of its variance, so that every step goes down.
        """
        if not 0 <= i <= self.steps:
            raise IndexError(f"level {i} of a schedule with levels 0..{self.steps}")
        sigma = self.sigmas[i]
        if sigma > 0:
            return self.mix(sigma)
        s0 = min(self.finest, self.sigmas[i - 1] * math.sqrt(0.5))
        if self.flow:
            return 1 - s0, s0
        norm = math.hypot(1.0, s0)
        return 1 / norm, s0 / norm

    def mix(self, sigma: float) -> tuple[float, float]:
        """(a, b) of any noise level sigma >= 0 for this kind of model, with x = a*x0 + b*eps."""
        return (1 - sigma, sigma) if self.flow else (1.0, sigma)

    def tail(self, start: int) -> Schedule:
        """The same schedule without its first `start` steps."""
        if not 0 <= start < self.steps:
            raise ValueError(
                f"A run of {self.steps} steps can start at step 0 to {self.steps - 1}, not at {start}. "
                "Lower start_at_step."
            )
        return Schedule(self.sigmas[start:], self.flow, self.finest)

    def first_step_of(self, sigmas: Sequence[float]) -> int | None:
        """Which step a run along these levels begins with, where they are a part of this schedule; None elsewhere."""
        first = sigma_index(self.sigmas, sigmas[0])
        if first is None or first + len(sigmas) > len(self.sigmas):
            return None
        own = self.sigmas[first : first + len(sigmas)]
        return first if all(abs(a - b) <= SIGMA_RTOL * b for a, b in zip(own, sigmas, strict=True)) else None

    def index_of(self, sigma: float) -> int | None:
        """Which level this sigma is, the image's own included, or None between levels."""
        return sigma_index(self.sigmas, sigma)


def sigma_index(sigmas: Sequence[float], sigma: float) -> int | None:
    """Which of these levels a sigma is, or None between them."""
    level = nearest_sigma_index(sigmas, sigma)
    return level if abs(sigmas[level] - sigma) <= SIGMA_RTOL * abs(sigma) else None


def step_at(sigmas: Sequence[float], sigma: float) -> int:
    """The step at these noise levels that an evaluation at a sigma belongs to: of the levels at or above it the lowest;
    the highest for a sigma above all of them."""
    highest = max(range(len(sigmas)), key=lambda i: sigmas[i])
    above = [i for i in range(len(sigmas)) if sigmas[i] >= sigma * (1 - SIGMA_RTOL)]
    return min(above, key=lambda i: sigmas[i], default=highest)


def nearest_sigma_index(sigmas: Sequence[float], sigma: float) -> int:
    """Which of these levels is nearest to a sigma."""
    return min(range(len(sigmas)), key=lambda i: abs(sigmas[i] - sigma))


def leading_timesteps(steps: int, training_steps: int = TRAINING_STEPS, offset: int = 1) -> list[int]:
    """K descending timesteps, r*(K-1-k) + offset with r = floor(training_steps / K): 991, 981, ..., 1 for K = 100.

    The "leading" spacing of diffusers, which the papers' code samples with. Where its rounded stride would leave out
    one stride or more at the noisy end (K = 60, or 501), the stride is not rounded, so that the whole range is covered.
    For K = training_steps the offset is 0: every timestep is there, and none lies beyond the last.
    """
    if not 1 <= steps <= training_steps:
        raise ValueError(f"The number of steps must lie in 1..{training_steps}, but is {steps}.")
    stride = training_steps // steps
    if stride * (steps + 1) > training_steps:
        timesteps = [stride * i for i in range(steps)]
    else:
        timesteps = [training_steps * i // steps for i in range(steps)]
    offset = min(offset, training_steps - 1 - timesteps[-1])
    return [t + offset for t in reversed(timesteps)]
