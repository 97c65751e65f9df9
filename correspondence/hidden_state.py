"""The hidden state of a transformer's block as features: without its massive channels, modulated as the block does it.

In diffusion transformers a few channels are hundreds of times as large as the others at every position, and hide what
tells positions apart. DiTF (Gan et al., CVPR 2026) zeroes them, normalizes what is left, and scales and shifts it by
the block's own adaptive modulation.
"""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch import Tensor

MASSIVE = 50.0
"""So many times the median of all channels is a massive one."""


def massive_channels(tokens: Tensor, factor: float = MASSIVE) -> Tensor:
    """bool [B, C]: the channels of tokens [B, N, C] whose mean magnitude is above `factor` times the median channel's.

    Each image by itself, so that a batch does not change what is zeroed.
    """
    size = tokens.float().abs().mean(dim=1)
    return size > factor * size.median(dim=1, keepdim=True).values


def modulation(normalized: Tensor, modulated: Tensor) -> tuple[Tensor, Tensor]:
    """The gain and the shift [B, 1, C] that took normalized tokens [B, N, C] to the modulated ones.

    By least squares over the tokens, so that it is one function for every kind of modulation; exact up to rounding. A
    channel that is the same everywhere gets gain 0 and its shift.
    """
    middle, after = (x.float().mean(dim=1, keepdim=True) for x in (normalized, modulated))
    spread, moved = normalized.float() - middle, modulated.float() - after
    variance = spread.square().sum(dim=1, keepdim=True)
    gain = torch.where(variance > 0, (spread * moved).sum(dim=1, keepdim=True) / variance, 0.0)
    return gain, after - gain * middle


def centered(values: Tensor) -> Tensor:
    """Features [B, C, h, w] less their mean over the image: what all positions have in common tells none apart."""
    return values - values.mean(dim=(2, 3), keepdim=True)


def without_massive_channels(
    tokens: Tensor, modulated: Tensor, normalize: Callable[[Tensor], Tensor]
) -> tuple[Tensor, int]:
    """Features [B, N, C] of the tokens that go into a block, and how many channels of an image were zeroed at most.

    modulated: what the block makes of `normalize(tokens)`, channel by channel. Without massive channels it is returned
    as it is.
    """
    massive = massive_channels(tokens)
    if not bool(massive.any()):
        return modulated, 0
    gain, shift = modulation(normalize(tokens), modulated)
    kept = normalize(tokens.masked_fill(massive[:, None], 0)).float()
    return torch.where(massive.any(dim=1)[:, None, None], kept * gain + shift, modulated.float()), int(
        massive.sum(1).max()
    )
