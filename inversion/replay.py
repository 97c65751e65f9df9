"""Sampling with stored noise maps: the way back from an inversion to its image, or to another one."""

from __future__ import annotations

from collections.abc import Callable

from torch import Tensor

from .schedule import Schedule
from .step import Denoise, step


def replay(
    denoise: Denoise,
    x: Tensor,
    schedule: Schedule,
    noise_maps: Tensor | None,
    eta: float,
    *,
    before_step: Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]] | None = None,
    after_step: Callable[[Tensor, int], Tensor] | None = None,
    on_step: Callable[[int, int, Tensor], None] | None = None,
) -> Tensor:
    """The latents [B, C, h, w] at the last level, from x [B, C, h, w] at sigmas[0].

    noise_maps: [S, B or 1, C, h, w]; None adds no noise, which is DDIM for eta = 0.
    before_step: before_step(x, denoised, i) -> what step i starts from in their place; where latent deviation sits.
    after_step: after_step(x, i) -> x, right after step i; where AdaIN sits.
    on_step: called with (i, S, denoised) after step i; for progress and preview.
    """
    if noise_maps is not None and len(noise_maps) != schedule.steps:
        raise ValueError(
            f"The schedule has {schedule.steps} steps, but there are noise maps for {len(noise_maps)}; "
            "use the SIGMAS that the inversion was made with."
        )
    for i in range(schedule.steps):
        sigma = x.new_full((x.shape[0],), schedule.sigmas[i])
        denoised = denoise(x, sigma)
        if before_step is not None:
            x, denoised = before_step(x, denoised, i)
        noise_map = None if noise_maps is None else noise_maps[i].to(x)
        x = step(x, denoised, noise_map, schedule, i, eta)
        if after_step is not None:
            x = after_step(x, i)
        if on_step is not None:
            on_step(i, schedule.steps, denoised)
    return x
