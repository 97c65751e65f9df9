"""Rotary positions of keys that have been attended to already (Su et al., arXiv 2104.09864).

A key of RoPE holds its position as a rotation of pairs of neighboring channels. Rotations add up, so a key is moved
along an axis without being told where it stands.
"""

from __future__ import annotations

import torch
from torch import Tensor


def moved_along_axis(keys: Tensor, distance: float, channels: int, theta: float) -> Tensor:
    """Keys [..., d] as they would be at a position further along the axis that turns their first `channels`.

    distance: in positions. theta: of the rates, theta^(-2i / channels) of pair i. Computed in fp32.
    """
    rates = theta ** (-torch.arange(0, channels, 2, dtype=torch.float64, device=keys.device) / channels)
    cos, sin = (distance * rates).cos().float(), (distance * rates).sin().float()
    a, b = keys[..., :channels].float().unflatten(-1, (-1, 2)).unbind(-1)
    moved = torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)
    return torch.cat([moved.to(keys.dtype), keys[..., channels:]], -1)
