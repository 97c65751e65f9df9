"""DDIM inversion: the deterministic path from an image to the noise that DDIM sampling starts from.

`invert_ddim` has the convention of null-text inversion (Mokady et al., arXiv 2211.09794): the step from a level to the
next noisier one trusts the network at (the current latent, the noisier level's time). `invert_ddim_reference` has that
of pix2pix-zero's reference code, for parity with it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from .regularize import Regularizer
from .schedule import Schedule
from .step import Denoise, flow_velocity


def invert_ddim(
    denoise: Denoise,
    x0: Tensor,
    schedule: Schedule,
    *,
    regularizer: Regularizer | None = None,
    on_step: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """The trajectory [S+1, B, C, h, w] of the clean latents x0 [B, C, h, w], noisiest level first.

    denoise: called S times with x [B, C, h, w] and sigma [B], from the least noisy level to the noisiest.
    regularizer: applied to every eps that a step is made with (inversion/regularize.py).
    on_step: called with (steps done - 1, S, denoised).

    Raises ValueError for a schedule that does not end at sigma 0: the path starts at the clean image.
    """
    check_ends_at_image(schedule)
    levels = [x0] * (schedule.steps + 1)
    for i in reversed(range(schedule.steps)):
        levels[i], denoised = _step_up(denoise, levels[i + 1], schedule, i, regularizer)
        if on_step is not None:
            on_step(schedule.steps - 1 - i, schedule.steps, denoised)
    return torch.stack(levels)


def _step_up(
    denoise: Denoise, x: Tensor, schedule: Schedule, i: int, regularizer: Regularizer | None
) -> tuple[Tensor, Tensor]:
    """(x at level i, denoised) from x at level i+1."""
    a, b = schedule.pair(i)
    a_from, b_from = schedule.pair(i + 1)
    if schedule.flow:
        velocity, denoised = flow_velocity(denoise, x, schedule, i, regularizer)
        return x + (b - b_from) * velocity, denoised
    sigma = x.new_full((x.shape[0],), schedule.sigmas[i])
    # An eps model sees x / hypot(a, b), the papers' x_t. Rescaled like this, it sees the latent of level i+1 at the
    # time of level i.
    seen = x * (math.hypot(a, b) / math.hypot(a_from, b_from))
    denoised = denoise(seen, sigma)
    eps = (seen - a * denoised) / b
    if regularizer is not None:
        eps = regularizer(eps)
    return (a / a_from) * (x - b_from * eps) + b * eps, denoised


def invert_ddim_reference(
    denoise: Denoise,
    x0: Tensor,
    schedule: Schedule,
    standing: Sequence[float],
    *,
    regularizer: Regularizer | None = None,
    on_step: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """The same as pix2pix-zero's reference code does it (arXiv 2302.03027), with S - 2 calls of the network.

    It leaves out the first and the last timestep: the clean latent is taken for one of level S-2 (so levels S-1 and S-2
    of the trajectory hold it, in the papers' scaling), and from there every step trusts the network at the level that
    the latent is at. The levels it steps between lie one timestep below those that it tells the network.

    standing: [S], the sigma of the timestep before that of sigmas[i]. Sampling goes on from schedule.sigmas[0] with a
        latent that stands at standing[0], as the reference code does.
    denoise, regularizer, on_step: as in `invert_ddim`.

    Raises ValueError for a schedule that does not end at sigma 0, has fewer than 3 steps, or belongs to a flow model.
    """
    check_ends_at_image(schedule)
    if schedule.flow:
        raise ValueError(
            "The reference timesteps are those of eps and v models, but this is a flow model; "
            "choose the consistent timesteps."
        )
    if schedule.steps < 3:
        raise ValueError(
            f"The reference timesteps leave out the first and the last step, and there are {schedule.steps}; "
            "raise the number of steps to 3 or more, or choose the consistent timesteps."
        )
    scales = [math.hypot(1, sigma) for sigma in schedule.sigmas]
    pairs = [(1 / math.hypot(1, sigma), sigma / math.hypot(1, sigma)) for sigma in standing]
    cleanest = schedule.steps - 2
    levels = [x0 * scale for scale in scales]
    for i in range(cleanest, 0, -1):
        x = levels[i]
        sigma = schedule.sigmas[i]
        denoised = denoise(x, x.new_full((x.shape[0],), sigma))
        eps = (x - denoised) / sigma
        if regularizer is not None:
            eps = regularizer(eps)
        (a, b), (a_next, b_next) = pairs[i], pairs[i - 1]
        x_next = a_next * (x / scales[i] - b * eps) / a + b_next * eps
        levels[i - 1] = x_next * scales[i - 1]
        if on_step is not None:
            on_step(cleanest - i, cleanest, denoised)
    return torch.stack(levels)


def check_ends_at_image(schedule: Schedule) -> None:
    """Raises ValueError for a schedule whose last level is not the clean image."""
    if not schedule.ends_at_image:
        raise ValueError(
            f"This inversion starts from the clean image, but the schedule ends at sigma {schedule.sigmas[-1]:.6g}; "
            "connect SIGMAS that end at 0."
        )
