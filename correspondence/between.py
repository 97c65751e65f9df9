"""A point between the positions of a grid as the four positions around it and the fraction of each (bilinear)."""

from __future__ import annotations

import torch
from torch import Tensor

PARTS = 256
"""Into how many parts a position is divided: coarse enough that the center of a position is that position exactly."""


def positions_around(points: Tensor, grid: tuple[int, int]) -> tuple[Tensor, Tensor]:
    """The positions [..., 4] int64 of a grid (h, w) around points [..., (y, x)], and their fractions [..., 4], sum 1.

    points: as fractions of height and width, 0..1; beyond the outermost centers it is the outermost position.
    """
    (top, bottom, down), (left, right, across) = (_along(points[..., axis], size) for axis, size in enumerate(grid))
    index = torch.stack(
        [top * grid[1] + left, top * grid[1] + right, bottom * grid[1] + left, bottom * grid[1] + right]
    )
    fraction = torch.stack([(1 - down) * (1 - across), (1 - down) * across, down * (1 - across), down * across])
    return index.movedim(0, -1), fraction.movedim(0, -1)


def _along(axis: Tensor, size: int) -> tuple[Tensor, Tensor, Tensor]:
    """The positions before and behind points 0..1 on an axis of `size` positions, and the fraction of the latter."""
    scaled = ((axis * size - 0.5) * PARTS).round().clamp(0, (size - 1) * PARTS) / PARTS
    before = scaled.long()
    return before, (before + 1).clamp(max=size - 1), scaled - before
