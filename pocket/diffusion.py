"""SD's noise schedule, the training loss on it, and a plain DDIM sampler to look at a model with.

x_t = sqrt(ab_t) x_0 + sqrt(1 - ab_t) eps, with ab_t the running product of 1 - beta and sqrt(beta) linear in t
("scaled linear").
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

STEPS = 1000
Denoiser = Callable[[Tensor, Tensor, Tensor], Tensor]


def alpha_bars() -> Tensor:
    """ab_t for t = 0..999, float64."""
    betas = torch.linspace(0.00085**0.5, 0.012**0.5, STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1.0 - betas, dim=0)


def add_noise(x0: Tensor, eps: Tensor, timesteps: Tensor) -> Tensor:
    """x_t of every batch entry: x0, eps [B, C, h, w]; timesteps [B]."""
    ab = alpha_bars().to(x0.device)[timesteps].to(x0.dtype)[:, None, None, None]
    return ab.sqrt() * x0 + (1.0 - ab).sqrt() * eps


def loss_weights(timesteps: Tensor, ceiling: float = 5.0) -> Tensor:
    """Min-SNR weights for eps prediction, min(SNR, ceiling) / SNR (Hang et al., ICCV 2023, section 3.4)."""
    ab = alpha_bars().to(timesteps.device)[timesteps]
    snr = ab / (1.0 - ab)
    return (snr.clamp(max=ceiling) / snr).float()


@torch.no_grad()
def sample_ddim(
    denoiser: Denoiser, noise: Tensor, context: Tensor, empty: Tensor, steps: int = 25, guidance: float = 3.0
) -> Tensor:
    """Deterministic DDIM (Song et al., ICLR 2021, eq. 12 with eta 0) with classifier-free guidance.

    noise [B, C, h, w]; context and empty [B, T, D]: features of the captions and of the empty caption. Returns x_0.
    """
    bars = alpha_bars().float().to(noise.device)
    times = torch.arange(STEPS // steps * (steps - 1) + 1, 0, -(STEPS // steps), device=noise.device)
    x = noise
    both = torch.cat([context, empty])
    for i, t in enumerate(times):
        eps = denoiser(torch.cat([x, x]), t.repeat(2 * len(x)), both)
        with_text, without = eps.float().chunk(2)
        eps = without + guidance * (with_text - without)
        ab = bars[t]
        ab_next = bars[times[i + 1]] if i + 1 < len(times) else bars[0]
        x0 = (x - (1.0 - ab).sqrt() * eps) / ab.sqrt()
        x = ab_next.sqrt() * x0 + (1.0 - ab_next).sqrt() * eps
    return x0
