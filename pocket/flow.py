"""Flow matching: x = (1 - sigma) * image + sigma * noise, and a plain Euler sampler to look at a model with."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

SHIFT = 1.5
"""Of the noise levels towards the noisy end, while sampling (Esser et al., arXiv 2403.03206, eq. 23)."""
Velocity = Callable[[Tensor, Tensor, Tensor], Tensor]


def draw_sigmas(count: int, generator: torch.Generator, mean: float = 0.2) -> Tensor:
    """[count] noise levels to train at: logit-normal (arXiv 2403.03206, eq. 19), stratified over the batch."""
    uniform = (torch.rand((), generator=generator) + torch.randperm(count, generator=generator)) / count
    return torch.sigmoid(torch.special.ndtri(uniform.clamp(1e-3, 1 - 1e-3)) + mean)


def noised(x0: Tensor, noise: Tensor, sigma: Tensor) -> Tensor:
    """x of every batch entry: x0, noise [B, C, h, w]; sigma [B]."""
    sigma = sigma[:, None, None, None]
    return (1 - sigma) * x0 + sigma * noise


def shifted(sigma: Tensor, shift: float = SHIFT) -> Tensor:
    """Noise levels 0..1, moved towards the noisy end."""
    return shift * sigma / (1 + (shift - 1) * sigma)


@torch.no_grad()
def sample_flow(
    velocity: Velocity, noise: Tensor, context: Tensor, empty: Tensor, steps: int = 20, guidance: float = 3.0
) -> Tensor:
    """Euler steps from noise [B, C, h, w] to x_0 with classifier-free guidance.

    context and empty [B, T, D]: features of the captions and of the empty caption.
    """
    sigmas = shifted(torch.linspace(1, 0, steps + 1, device=noise.device))
    both = torch.cat([context, empty])
    x = noise
    for sigma, after in zip(sigmas[:-1], sigmas[1:], strict=True):
        with_text, without = velocity(torch.cat([x, x]), sigma.expand(len(both)), both).float().chunk(2)
        x = x + (after - sigma) * (without + guidance * (with_text - without))
    return x
