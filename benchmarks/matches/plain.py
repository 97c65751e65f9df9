"""Features without a network: what matches are compared with."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate, unfold

from ...correspondence.features import Features

GRID = 32


def pixels(pictures: Tensor, *, neighbourhood: int) -> Features:
    """The mean colour of each place of [B, H, W, 3], around middle grey, with those of its neighbours."""
    colours = interpolate(pictures.movedim(-1, 1) - 0.5, size=(GRID, GRID), mode="area")
    around = unfold(colours, neighbourhood, padding=neighbourhood // 2).unflatten(2, (GRID, GRID))
    return Features(around, tuple(pictures.shape[1:3]))


def position(pictures: Tensor) -> Features:
    """Where in the picture a place is: every place matches the one at the same share of width and height."""
    angles = (torch.arange(GRID) + 0.5) * math.pi / (2 * GRID)
    y, x = torch.meshgrid(angles, angles, indexing="ij")
    where = torch.stack([y.cos(), y.sin(), x.cos(), x.sin()])
    return Features(where.expand(len(pictures), -1, -1, -1), tuple(pictures.shape[1:3]))


def chance(pictures: Tensor) -> Features:
    """Noise: every place matches any."""
    return Features(torch.randn(len(pictures), 64, GRID, GRID), tuple(pictures.shape[1:3]))
