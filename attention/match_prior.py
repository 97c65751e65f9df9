"""What matches say of where a query should look, as a bias of its attention scores.

A Gaussian around the matched position is a prior on the keys; its logarithm is added to the scores, so that attention
chooses by likeness among what lies near the match. A mask of the keys is added in the same way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Protocol

import torch
from torch import Tensor

MATCH_WIDTH = 0.094
"""12 pixels of 128: the width of the prior that helped most on the pocket world."""


class Bias(Protocol):
    """What is added to the scores [B, H, N, M] of an attention, made for a few queries at a time."""

    def rows(self, queries: slice, like: Tensor) -> Tensor:
        """[B or 1, 1, n or 1, M or 1], on the device of `like`."""

    def keys_seen(self, queries: slice, like: Tensor, every: int) -> float | Tensor:
        """How many of so many keys may be looked at: a number, or [B or 1, 1, n or 1, 1]."""


@dataclass(frozen=True, eq=False)
class AttentionBias:
    """See `Bias`: for N queries and M keys.

    targets: [B or 1, N, (y, x)], where each query should look. precision: [B or 1, N], 1 / (2 * deviation^2) of the
        Gaussian around it, 0 for queries without a match. keys: [M, (y, x)], where the keys are, in the same unit.
        Without them (None) there is no prior.
    key_mask: [B or 1, M] in 0..1, how much a key may be looked at; None for all alike.
    """

    targets: Tensor | None = None
    precision: Tensor | None = None
    keys: Tensor | None = None
    key_mask: Tensor | None = None

    def at(self, positions: Tensor | slice) -> AttentionBias:
        """The bias of some of the queries."""
        if self.targets is None or self.precision is None:
            return self
        return replace(self, targets=self.targets[:, positions], precision=self.precision[:, positions])

    def to(self, device: torch.device) -> AttentionBias:
        """The bias on another device."""
        targets, precision, keys, key_mask = (
            None if tensor is None else tensor.to(device)
            for tensor in (self.targets, self.precision, self.keys, self.key_mask)
        )
        return AttentionBias(targets, precision, keys, key_mask)

    def rows(self, queries: slice, like: Tensor) -> Tensor:
        """[B or 1, 1, n, M] (or n = 1, where it is the same for all queries), on the device of `like`."""
        bias = like.new_zeros(1, 1, 1, 1)
        if self.targets is not None and self.precision is not None and self.keys is not None:
            apart = torch.cdist(self.targets[:, queries].to(like), self.keys.to(like)[None]).square()
            bias = bias - (apart * self.precision[:, queries, None].to(like))[:, None]
        if self.key_mask is not None:
            bias = bias + self.key_mask.to(like).log()[:, None, None]
        return bias

    def keys_seen(self, queries: slice, like: Tensor, every: int) -> float | Tensor:
        """How many of so many keys may be looked at: all of them, or [B or 1, 1, 1, 1]."""
        if self.key_mask is None:
            return every
        return self.key_mask.to(like).sum(1).clamp(min=1)[:, None, None, None]


def grid_centers(grid: tuple[int, int], aspect: tuple[float, float] = (1.0, 1.0)) -> Tensor:
    """[h*w, (y, x)]: the centers of the positions of a grid, row by row, as shares of the image times `aspect`."""
    y, x = ((torch.arange(size) + 0.5) * (length / size) for size, length in zip(grid, aspect, strict=True))
    return torch.cartesian_prod(y, x)


def log_prior(
    points: Tensor, confidence: Tensor, grid: tuple[int, int], image: tuple[int, int], width: float
) -> AttentionBias:
    """The prior of matches.

    points: [B, N, (y, x)] in shares of the appearance's height and width. confidence: [B, N] in 0..1: the prior fades
        with it, so that an unsure match has little to say. grid: (h, w) of the keys. image: (H, W) of the appearance.
    width: the Gaussian's standard deviation, as a share of the image's longer side, above 0.
    """
    longer = max(image)
    aspect = image[0] / longer, image[1] / longer
    targets = points * points.new_tensor(aspect)
    return AttentionBias(targets, confidence / (2 * width**2), grid_centers(grid, aspect))
