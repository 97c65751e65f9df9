"""Edit-friendly DDPM inversion (Huberman-Spiegelglas et al., arXiv 2304.06140, algorithm 1).

Every level of the trajectory gets its own, independent noise: x_i = a_i*x0 + b_i*n_i. The noise maps are what a
sampling step must add to lead from each of these levels to the next, z_i = (x_{i+1} - mu_i(x_i)) / noise_i, so that
replaying them returns the image.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

from .schedule import Schedule
from .settings import DDPMSettings
from .step import Denoise, mean, step_coefficients


def invert_ddpm(
    denoise: Denoise,
    x0: Tensor,
    schedule: Schedule,
    *,
    eta: float = DDPMSettings.eta,
    seed: int = 0,
    generator: torch.Generator | None = None,
    keep_last_noise: bool = False,
    levels_per_call: int = 1,
    noise: Tensor | None = None,
    on_step: Callable[[int, int, Tensor], None] | None = None,
) -> tuple[Tensor, Tensor]:
    """(trajectory [S+1, B, C, h, w], noise maps [S, B, C, h, w]) of the clean latents x0 [B, C, h, w].

    denoise: called with x [n, C, h, w] and sigma [n], n = levels * B. As the levels are drawn independently, no level
        waits for another: `levels_per_call` of them share one forward (a property of edit-friendly inversion only).
    eta: in 0 (exclusive) to 1. The papers use 1.
    seed, generator: of the drawn noise, see `draw_noise`. A generator, if given, is used as it stands.
    keep_last_noise: keep the noise map of the step into the finished image, which makes replay exact. The papers
        zero it, since that level has no noise of its own; the image then differs by the small noise of that step.
    noise: [L, B, C, h, w] instead of drawn noise, noisiest level first, L = S (S+1 where the run stops before sigma 0).
    on_step: called with (i, S, denoised [B, C, h, w]) after step i.

    trajectory[-1] is x0 itself where the schedule ends at sigma 0.
    """
    if not 0 < eta <= 1:
        raise ValueError(f"DDPM inversion stores each step's noise, so eta must be above 0 and at most 1, not {eta}.")
    if levels_per_call < 1:
        raise ValueError(f"levels_per_call must be 1 or more, but is {levels_per_call}.")
    if noise is None:
        noise = draw_noise(x0, schedule, seed=seed, generator=generator)
    trajectory = noisy_levels(x0, schedule, noise)
    noise_maps = torch.zeros_like(trajectory[:-1])
    steps, images = schedule.steps, x0.shape[0]
    for first in range(0, steps, levels_per_call):
        levels = range(first, min(first + levels_per_call, steps))
        x = trajectory[levels.start : levels.stop]
        sigma = x.new_tensor([schedule.sigmas[i] for i in levels]).repeat_interleave(images)
        denoised = denoise(x.flatten(0, 1), sigma).view(x.shape)
        for i in levels:
            _, _, scale = step_coefficients(schedule, i, eta)
            mu = mean(trajectory[i], denoised[i - first], schedule, i, eta)
            noise_maps[i] = (trajectory[i + 1] - mu) / scale
            if on_step is not None:
                on_step(i, steps, denoised[i - first])
    if schedule.ends_at_image and not keep_last_noise:
        noise_maps[-1] = 0
    return trajectory, noise_maps


def noise_image(x0: Tensor, schedule: Schedule, *, seed: int = 0) -> Tensor:
    """The trajectory [S+1, B, C, h, w] that `invert_ddpm` has for this seed, bit by bit, without asking the network.

    Only the noise maps need its predictions, and an image that is read, not replayed, has no use for them.
    """
    return noisy_levels(x0, schedule, draw_noise(x0, schedule, seed=seed))


def noisy_levels(x0: Tensor, schedule: Schedule, noise: Tensor) -> Tensor:
    """The trajectory [S+1, B, C, h, w]: x0 at every level, each with its own row of `noise` [L, B, C, h, w]."""
    expected = (_noisy_count(schedule), *x0.shape)
    if tuple(noise.shape) != expected:
        raise ValueError(f"The noise must have the shape {list(expected)} (levels, images), not {list(noise.shape)}.")
    levels = [x0] * (schedule.steps + 1)
    for i in range(len(noise)):
        a, b = schedule.pair(i)
        levels[i] = a * x0 + b * noise[i].to(x0)
    return torch.stack(levels)


def draw_noise(x0: Tensor, schedule: Schedule, *, seed: int = 0, generator: torch.Generator | None = None) -> Tensor:
    """Independent standard normal noise [L, B, C, h, w] in fp32 on the CPU for every noisy level, noisiest first.

    Drawn on the CPU, so that a seed means the same image on every machine; in the order of the papers' code: the
    least noisy level first, one image after the other from one generator. So a run without its first steps draws
    the same noise for the steps that it has.
    """
    if generator is None:
        generator = torch.Generator("cpu").manual_seed(seed)
    images, *shape = x0.shape
    noise = torch.empty(_noisy_count(schedule), images, *shape)
    for image in range(images):
        for i in reversed(range(len(noise))):
            noise[i, image] = torch.randn(1, *shape, generator=generator)[0]
    return noise


def _noisy_count(schedule: Schedule) -> int:
    return schedule.steps if schedule.ends_at_image else schedule.steps + 1
