"""Models whose denoiser is known in closed form, and schedules of every kind."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.inversion.schedule import Schedule, leading_timesteps
from appearance_transfer.tests.inversion.stable_diffusion import scaled_linear_alpha_bar
from torch import Tensor


def leading(steps: int) -> Schedule:
    """The papers' schedule as ComfyUI's sigmas, ending at 0."""
    alpha_bar = scaled_linear_alpha_bar()[leading_timesteps(steps)]
    return Schedule((*((1 - alpha_bar) / alpha_bar).sqrt().tolist(), 0.0))


def karras(steps: int, low: float = 0.0292, high: float = 14.6, rho: float = 7.0) -> Schedule:
    """arXiv 2206.00364, eq. 5."""
    ramp = [i / (steps - 1) for i in range(steps)]
    ends = high ** (1 / rho), low ** (1 / rho)
    return Schedule((*((ends[0] + t * (ends[1] - ends[0])) ** rho for t in ramp), 0.0))


def linear_flow(steps: int) -> Schedule:
    return Schedule(tuple(1 - i / steps for i in range(steps + 1)), flow=True, finest=0.001)


def partial(steps: int) -> Schedule:
    """A run that stops at sigma 0.5."""
    return Schedule(tuple(10 - 9.5 * i / steps for i in range(steps + 1)))


SCHEDULES = {"leading": leading, "karras": karras, "flow": linear_flow, "partial": partial}


@pytest.fixture(params=SCHEDULES)
def make_schedule(request):
    """make_schedule(steps) -> Schedule, for every kind in turn."""
    return SCHEDULES[request.param]


class Gaussian:
    """The exact denoiser of images whose pixels are normal with this mean and standard deviation.

    For x = a*x0 + b*eps it is E[x0 | x] = mean + spread^2 * a / (a^2*spread^2 + b^2) * (x - a*mean).
    """

    def __init__(self, mean: float, spread: float, flow: bool = False):
        self.mean = mean
        self.spread = spread
        self.flow = flow
        self.calls: list[list[float]] = []

    def __call__(self, x: Tensor, sigma: Tensor) -> Tensor:
        assert sigma.shape == x.shape[:1]
        self.calls.append(sigma.tolist())
        b = sigma.view(-1, 1, 1, 1).to(x)
        a = 1 - b if self.flow else torch.ones_like(b)
        gain = self.spread**2 * a / (a**2 * self.spread**2 + b**2)
        return self.mean + gain * (x - a * self.mean)

    def path(self, x0: Tensor, schedule: Schedule, i: int) -> Tensor:
        """Where the probability flow ODE takes x0 from the last level to level i: x - a*mean keeps its quantile."""
        a_last, b_last = schedule.pair(schedule.steps)
        a, b = schedule.pair(i)
        spreads = [math.hypot(c * self.spread, d) for c, d in ((a, b), (a_last, b_last))]
        return a * self.mean + (x0 - a_last * self.mean) * spreads[0] / spreads[1]


@pytest.fixture
def images():
    """Two clean latents, float64."""
    return torch.randn(2, 4, 6, 5, dtype=torch.float64, generator=torch.Generator().manual_seed(7)) * 0.8 + 0.3


@pytest.fixture
def gaussian():
    """The class, to make denoisers with."""
    return Gaussian


@pytest.fixture
def leading_schedule():
    """leading_schedule(steps): the papers' schedule."""
    return leading
