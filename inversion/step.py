"""One sampling step from level i to level i+1, for eps, v and flow models alike (DDIM, arXiv 2010.02502, eq. 12).

With (a, b) of level i and (a', b') of level i+1, x = a*x0 + b*eps, and the model's estimate `denoised` of x0:

    eps    = (x - a*denoised) / b
    x_next = a'*denoised + direction*eps + noise*z,   direction^2 + noise^2 = b'^2
    noise  = eta * b' * sqrt(1 - (a*b' / (a'*b))^2)

eta = 0 is DDIM, eta = 1 is ancestral sampling (DDPM).
"""

from __future__ import annotations

import math
from collections.abc import Callable

from torch import Tensor

from .regularize import Regularizer
from .schedule import Schedule

Denoise = Callable[[Tensor, Tensor], Tensor]
"""denoise(x [n, C, h, w], sigma [n]) -> the model's estimate of x0, [n, C, h, w]."""


def step_coefficients(schedule: Schedule, i: int, eta: float) -> tuple[float, float, float]:
    """(a', direction, noise) of step i, eta in 0..1.

    The papers write the variance of a step (a^2 = abar, b^2 = 1 - abar) as

        var = (1 - abar') / (1 - abar) * (1 - abar / abar') = b'^2/b^2 * (a'^2 - a^2)/a'^2

    In their scaling a^2 + b^2 = 1, hence a'^2 - a^2 = a'^2*b^2 - a^2*b'^2, and

        var = b'^2 * (a'^2*b^2 - a^2*b'^2) / (a'^2*b^2) = b'^2 * (1 - (a*b' / (a'*b))^2)

    The bracket depends on the ratios b/a alone, so it is the same in any scaling of either level; and a', direction
    and noise all grow with the scale of level i+1, as x_next does. So this one form serves ComfyUI's scaling.
    """
    if not 0 <= eta <= 1:
        raise ValueError(f"eta must lie in 0..1, but is {eta}.")
    a, b = schedule.pair(i)
    a_next, b_next = schedule.pair(i + 1)
    ratio = a * b_next / (a_next * b)
    noise = eta * b_next * math.sqrt(max(0.0, 1 - ratio * ratio))
    direction = math.sqrt(max(0.0, b_next * b_next - noise * noise))
    return a_next, direction, noise


def mean(x: Tensor, denoised: Tensor, schedule: Schedule, i: int, eta: float) -> Tensor:
    """The step without its random part: mu = a'*denoised + direction*eps. x, denoised: [..., C, h, w] at level i."""
    a, b = schedule.pair(i)
    a_next, direction, _ = step_coefficients(schedule, i, eta)
    eps = (x - a * denoised) / b
    return a_next * denoised + direction * eps


def step(x: Tensor, denoised: Tensor, noise_map: Tensor | None, schedule: Schedule, i: int, eta: float) -> Tensor:
    """x at level i+1. Without a noise map the random part is left out (exact for eta = 0)."""
    mu = mean(x, denoised, schedule, i, eta)
    if noise_map is None:
        return mu
    _, _, noise = step_coefficients(schedule, i, eta)
    return mu + noise * noise_map


def flow_velocity(
    denoise: Denoise, x: Tensor, schedule: Schedule, i: int, regularizer: Regularizer | None = None
) -> tuple[Tensor, Tensor]:
    """(velocity eps - x0 of a flow model, denoised) at x [B, C, h, w], taken for one of level i (arXiv 2210.02747).

    regularizer: applied to the eps in it.
    """
    denoised = denoise(x, x.new_full((x.shape[0],), schedule.sigmas[i]))
    velocity = (x - denoised) / schedule.pair(i)[1]
    if regularizer is not None:
        velocity = regularizer(velocity + denoised) - denoised
    return velocity, denoised
