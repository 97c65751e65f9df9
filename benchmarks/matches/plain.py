"""Features without a network: what matches are compared with."""

from __future__ import annotations

import math

import torch
from torch import Tensor
from torch.nn.functional import interpolate, unfold

from ...correspondence.features import Features

GRID = 32


def pixels(images: Tensor, *, neighborhood: int) -> Features:
    """The mean color of each position of [B, H, W, 3], around middle gray, with those of its neighbors."""
    colors = interpolate(images.movedim(-1, 1) - 0.5, size=(GRID, GRID), mode="area")
    around = unfold(colors, neighborhood, padding=neighborhood // 2).unflatten(2, (GRID, GRID))
    return Features(around, tuple(images.shape[1:3]))


def position(images: Tensor) -> Features:
    """Where in the image a position is: every position matches the one at the same share of width and height."""
    angles = (torch.arange(GRID) + 0.5) * math.pi / (2 * GRID)
    y, x = torch.meshgrid(angles, angles, indexing="ij")
    where = torch.stack([y.cos(), y.sin(), x.cos(), x.sin()])
    return Features(where.expand(len(images), -1, -1, -1), tuple(images.shape[1:3]))


def chance(images: Tensor) -> Features:
    """Noise: every position matches any."""
    return Features(torch.randn(len(images), 64, GRID, GRID), tuple(images.shape[1:3]))
