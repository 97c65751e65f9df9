"""Images read elsewhere than they stand: what positions and their noise tell of matches then no longer helps."""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor
from torch.nn.functional import interpolate

from ...correspondence.features import Features

GRID = 32
"""Positions a side at which features are compared."""
QUARTER = 4
"""The part of an image by which it is moved, around its border."""


def moved(images: Tensor) -> Tensor:
    """Images [B, H, W, 3], a quarter of their size further down and to the right."""
    return images.roll((images.shape[1] // QUARTER, images.shape[2] // QUARTER), (1, 2))


def moved_back(features: Features) -> Features:
    """The features of moved images where the images were."""
    back = (-(features.grid[0] // QUARTER), -(features.grid[1] // QUARTER))
    return replace(features, values=features.values.roll(back, (-2, -1)))


def finer(features: Features) -> Features:
    """On the grid on which all are compared, and of no source, so that all can be."""
    return replace(features, values=interpolate(features.values, size=(GRID, GRID), mode="bilinear"), source={})
