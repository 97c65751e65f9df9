"""Resampling that neither aliases nor leaves a grid: by the filter [1, 3, 3, 1] (StyleGAN2, Karras et al. 2020)."""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

TAPS = (1.0, 3.0, 3.0, 1.0)


def smoothed(values: Tensor, padding: int, stride: int = 1, gain: float = 1.0) -> Tensor:
    """Filter [B, C, H, W] with zeros around it, and keep every `stride`-th position.

    Sides of n become (n + 2 * padding - 4) // stride + 1. gain: what the filter sums to.
    """
    channels = values.shape[1]
    return F.conv2d(values, _kernel(values, gain), stride=stride, padding=padding, groups=channels)


def upsampled(values: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C, 2H, 2W]. Filtered after zeros were put between, so that the mean stays."""
    channels = values.shape[1]
    return F.conv_transpose2d(values, _kernel(values, 4.0), stride=2, padding=1, groups=channels)


def _kernel(like: Tensor, gain: float) -> Tensor:
    taps = torch.tensor(TAPS, dtype=like.dtype, device=like.device)
    taps = taps / taps.sum()
    return (gain * torch.outer(taps, taps)).expand(like.shape[1], 1, -1, -1)
