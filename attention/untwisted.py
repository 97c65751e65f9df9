"""Keys of a reference whose rotary positions count less (Untwisting RoPE, arXiv 2602.05013).

With shared positions the fast pairs of RoPE pull every query to the reference's token at its own place. Scaling these
pairs down on the reference's keys alone lets likeness decide. A scale per pair commutes with the rotation, so keys are
scaled as they are attended to.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

EPSILON = 1e-5


@dataclass(frozen=True)
class Untwisting:
    """How the pairs of an axis are scaled, from the fastest to the slowest: s_d = fast + (slow - fast) * d^exponent, d
    from 0 to 1.

    fast, slow: at the beginning and at the end of a run, linear in between. flat_axes: on which all tokens of an image
        stand at one place, so that the slow scale holds for all pairs. gain: of all pairs. adain: how far queries and
        own keys take the statistics of the reference's.

    The defaults are the paper's for Flux.1.
    """

    fast: tuple[float, float] = (0.25, 0.75)
    slow: tuple[float, float] = (1.0, 1.4)
    exponent: float = 2.0
    flat_axes: tuple[int, ...] = (0,)
    gain: float = 1.0
    adain: float = 0.5

    def scales(self, axes: Sequence[int], progress: float, amount: float) -> Tensor:
        """[d]: the factor of every channel of a key. axes: channels that each turns. progress: of the run, 0..1.
        amount: 0 is 1 everywhere, 1 is as described.
        """
        fast, slow = (start + progress * (end - start) for start, end in (self.fast, self.slow))
        parts = []
        for axis, channels in enumerate(axes):
            rank = torch.linspace(0, 1, channels // 2)
            rank = torch.ones_like(rank) if axis in self.flat_axes else rank
            parts.append((fast + (slow - fast) * rank**self.exponent).repeat_interleave(2))
        return 1 + amount * (self.gain * torch.cat(parts) - 1)


def statistics(tokens: Tensor) -> tuple[Tensor, Tensor]:
    """Mean and deviation over the tokens of [B, H, N, d] for every head and channel, [B, H, 1, d] each in fp32."""
    wide = tokens.float()
    return wide.mean(2, keepdim=True), (wide.var(2, keepdim=True, correction=0) + EPSILON).sqrt()


def with_statistics(tokens: Tensor, mean: Tensor, deviation: Tensor, amount: float | Tensor) -> Tensor:
    """Tokens [B, H, N, d] that go over to these statistics [B, H, 1 or N, d] by `amount` in 0..1, [B, 1, N, 1] or a
    number. They have turned with their positions already: the fast pairs, whose mean is about 0, take the deviation.
    """
    own_mean, own_deviation = statistics(tokens)
    wide = tokens.float()
    matched = (wide - own_mean) / own_deviation * deviation + mean
    return (wide + amount * (matched - wide)).to(tokens.dtype)
