"""DDIM inversion: the deterministic path from a picture to the noise that DDIM sampling starts from.

The convention of null-text inversion (Mokady et al., arXiv 2211.09794): the step from a level to the next noisier
one trusts the network at (the current latent, the noisier level's time).
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor

from .schedule import Schedule
from .step import Denoise


def invert_ddim(
    denoise: Denoise,
    x0: Tensor,
    schedule: Schedule,
    *,
    on_step: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """The trajectory [S+1, B, C, h, w] of the clean latents x0 [B, C, h, w], noisiest level first.

    denoise: called S times with x [B, C, h, w] and sigma [B], from the least noisy level to the noisiest.
    on_step: called with (steps done - 1, S, denoised).

    Raises ValueError for a schedule that does not end at sigma 0: the path starts at the clean picture.
    """
    if not schedule.ends_at_picture:
        raise ValueError(
            f"DDIM inversion starts from the clean picture, but the schedule ends at sigma {schedule.sigmas[-1]:.6g}; "
            "connect SIGMAS that end at 0."
        )
    levels = [x0] * (schedule.steps + 1)
    for i in reversed(range(schedule.steps)):
        levels[i], denoised = _step_up(denoise, levels[i + 1], schedule, i)
        if on_step is not None:
            on_step(schedule.steps - 1 - i, schedule.steps, denoised)
    return torch.stack(levels)


def _step_up(denoise: Denoise, x: Tensor, schedule: Schedule, i: int) -> tuple[Tensor, Tensor]:
    """(x at level i, denoised) from x at level i+1."""
    a, b = schedule.pair(i)
    a_from, b_from = schedule.pair(i + 1)
    sigma = x.new_full((x.shape[0],), schedule.sigmas[i])
    if schedule.flow:
        # The network's answer is the velocity eps - x0 (arXiv 2210.02747): it is what is carried to the next level.
        denoised = denoise(x, sigma)
        velocity = (x - denoised) / b
        return x + (b - b_from) * velocity, denoised
    # An eps model sees x / hypot(a, b), the papers' x_t. Rescaled like this, it sees the latent of level i+1 at the
    # time of level i.
    seen = x * (math.hypot(a, b) / math.hypot(a_from, b_from))
    denoised = denoise(seen, sigma)
    eps = (seen - a * denoised) / b
    return (a / a_from) * (x - b_from * eps) + b * eps, denoised
