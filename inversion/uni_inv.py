"""Uni-Inv, the deterministic inversion of flow models (Jiao et al., arXiv 2504.13109).

A step of sampling leaves a level with the velocity that the network has there. To go back along it, that velocity is
needed before the level is known. Uni-Inv takes it where the velocity of the step before says that the level lies, so
that an Euler step from there leads back, up to the third power of the step's length (DDIM's: the second).
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .ddim import check_ends_at_image
from .regularize import Regularizer
from .schedule import Schedule
from .step import Denoise, flow_velocity


def invert_uni_inv(
    denoise: Denoise,
    x0: Tensor,
    schedule: Schedule,
    *,
    regularizer: Regularizer | None = None,
    on_step: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """The trajectory [S+1, B, C, h, w] of the clean latents x0 [B, C, h, w], noisiest level first.

    denoise, regularizer, on_step: as in `invert_ddim`; denoise is called S times. `replay` without noise maps and eta 0
    is the way back.

    Raises ValueError for a schedule that belongs to no flow model or does not end at sigma 0.
    """
    check_flow(schedule)
    check_ends_at_image(schedule)
    levels = [x0] * (schedule.steps + 1)
    velocity = torch.zeros_like(x0)  # of the cleanest step nothing is known before
    for i in reversed(range(schedule.steps)):
        length = schedule.pair(i)[1] - schedule.pair(i + 1)[1]
        expected = levels[i + 1] + length * velocity
        velocity, denoised = flow_velocity(denoise, expected, schedule, i, regularizer)
        levels[i] = levels[i + 1] + length * velocity
        if on_step is not None:
            on_step(schedule.steps - 1 - i, schedule.steps, denoised)
    return torch.stack(levels)


def check_flow(schedule: Schedule) -> None:
    """Raises ValueError for the schedule of an eps or v model."""
    if not schedule.flow:
        raise ValueError(
            "Uni-Inv inverts flow models, such as Flux, Qwen-Image and SD3, and this MODEL is none. Set solver to "
            "auto or ddim."
        )
