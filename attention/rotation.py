"""Rotary positions of keys that have been attended to already (Su et al., arXiv 2104.09864).

A key of RoPE holds its position as a rotation of pairs of neighboring channels. Rotations add up, so a key is moved
along an axis without being told where it stands.
"""

from __future__ import annotations

import torch
from torch import Tensor


def moved_along_axis(keys: Tensor, distance: float | Tensor, channels: int, theta: float, *, first: int = 0) -> Tensor:
    """Keys [..., N, d] as they would be further along the axis that turns `channels` of them from `first` on.

    distance: in positions, of all, or of each key [N]. theta: of the rates, theta^(-2i / channels) of pair i. Computed
    in fp32.
    """
    rates = theta ** (-torch.arange(0, channels, 2, dtype=torch.float64, device=keys.device) / channels)
    angles = torch.as_tensor(distance, dtype=torch.float64, device=keys.device)[..., None] * rates
    cos, sin = angles.cos().float(), angles.sin().float()
    before, turning, behind = keys.split([first, channels, keys.shape[-1] - first - channels], -1)
    a, b = turning.float().unflatten(-1, (-1, 2)).unbind(-1)
    moved = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
    return torch.cat([before, moved.to(keys.dtype), behind], -1)


def with_mirrored_columns(
    keys: Tensor, grid: tuple[int, int], channels: int, theta: float, *, first: int = 0
) -> Tensor:
    """Keys [..., h*w, d] of a grid (h, w) as they would be with the columns counted from the other side: each at the
    place of its mirror image. channels, theta, first: of the axis of columns, as of `moved_along_axis`.
    """
    height, width = grid
    distances = (width - 1 - 2 * torch.arange(width, device=keys.device)).repeat(height)
    return moved_along_axis(keys, distances, channels, theta, first=first)
