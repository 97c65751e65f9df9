"""How well an inversion reconstructs its image."""

from __future__ import annotations

import torch
from torch import Tensor


def psnr(a: Tensor, b: Tensor) -> Tensor:
    """Peak signal-to-noise ratio in dB, one per image: -10*log10(mean squared error). Infinite for equal images.

    a, b: images in 0..1, [B, ...], of the same shape. Returns float64 [B].
    """
    if a.shape != b.shape:
        raise ValueError(f"PSNR compares images of one size, but got {list(a.shape)} and {list(b.shape)}.")
    error = (a.double() - b.double()).square().flatten(1).mean(dim=1)
    return -10 * torch.log10(error)
