"""An inverted image at any noise level: as recorded where its inversion has that level, and made for it elsewhere.

Edit-friendly DDPM draws every level independently, x = a*x0 + b*eps (arXiv 2304.06140). So a further level is one more
draw, and an image that is only looked at can stand beside a run of any sampler and any scheduler.
"""

from __future__ import annotations

import math
from hashlib import blake2b

import torch
from torch import Tensor

from .schedule import SIGMA_RTOL, step_at
from .types import Inversion


def latent_at(inversion: Inversion, sigma: float) -> Tensor:
    """[B, C, h, w] at the noise level `sigma` >= 0 in ComfyUI's scaling; bit for bit as recorded at a recorded level.

    Elsewhere a DDPM inversion and a noised image are noised anew, see `level_noise`. The path of a DDIM or Uni-Inv
    inversion is no draw: between its levels it goes on in a straight line, as a DDIM step does, and above the noisiest
    one with the noise that it has there.
    """
    schedule = inversion.schedule
    level = schedule.index_of(sigma)
    if level is not None:
        return inversion.trajectory[level]
    if sigma < schedule.sigmas[-1]:  # of a run that stops before sigma 0, where nothing is known
        return inversion.trajectory[-1]
    is_drawn = inversion.method in ("ddpm", "noised")
    return _noised(inversion, sigma) if is_drawn else _continued(inversion, sigma)


def _noised(inversion: Inversion, sigma: float) -> Tensor:
    """The last level with as much more noise as leads to `sigma`; a*x0 + b*eps where the last level is x0 itself."""
    a_last, b_last = inversion.schedule.mix(inversion.schedule.sigmas[-1])
    a, b = inversion.schedule.mix(sigma)
    kept = a / a_last
    x = inversion.trajectory[-1].float()
    noise = level_noise(inversion.seed, sigma, tuple(x.shape[1:])).to(x)
    return kept * x + math.sqrt(b**2 - (kept * b_last) ** 2) * noise


def _continued(inversion: Inversion, sigma: float) -> Tensor:
    sigmas = inversion.schedule.sigmas
    if sigma < sigmas[0]:
        i = step_at(sigmas, sigma)
        part = (sigmas[i] - sigma) / (sigmas[i] - sigmas[i + 1])
        return torch.lerp(inversion.trajectory[i].float(), inversion.trajectory[i + 1].float(), part)
    a_first, b_first = inversion.schedule.mix(sigmas[0])
    a, b = inversion.schedule.mix(sigma)
    x0 = inversion.x0.float()
    return a * x0 + b * (inversion.start.float() - a_first * x0) / b_first


def level_noise(seed: int, sigma: float, shape: tuple[int, ...]) -> Tensor:
    """Standard normal noise of `shape`, fp32 on the CPU, of one noise level: the same for the same seed and sigma.

    Another sigma has an independent draw, as the recorded levels have. One noise for all levels would make the
    reference a different kind of input between the recorded levels than on them. Sigmas less than about SAME_LEVEL
    apart are one level, so that rounding (of another device, or of a sampler that computes a sigma twice) changes
    nothing.
    All images of a batch get the same noise, so that a selection of them is what it was.
    """
    level = round(math.log(sigma) / SIGMA_RTOL)
    key = blake2b(f"{seed} {level}".encode(), digest_size=8).digest()
    return torch.randn(shape, generator=torch.Generator("cpu").manual_seed(int.from_bytes(key, "little")))
