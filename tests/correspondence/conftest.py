"""Features and matches that are small enough to follow."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from appearance_transfer.correspondence.correspondence import Correspondence
from appearance_transfer.correspondence.features import Features


@pytest.fixture
def features() -> Callable[..., Features]:
    """`features(seed, images, grid)`: random ones of 8 channels, each position 8 pixels wide."""

    def make(seed: int = 0, images: int = 1, grid: tuple[int, int] = (6, 5), channels: int = 8) -> Features:
        values = torch.randn(images, channels, *grid, generator=torch.Generator().manual_seed(seed))
        return Features(values, (grid[0] * 8, grid[1] * 8), {"kind": "random"})

    return make


@pytest.fixture
def identity() -> Callable[..., Correspondence]:
    """`identity(h, w)`: every position matches itself, with certainty; positions are 8 pixels wide."""

    def make(h: int = 4, w: int = 6) -> Correspondence:
        index, image = torch.arange(h * w).view(1, 1, h, w), (8 * h, 8 * w)
        weight, cosine, confidence = torch.ones(1, 1, h, w), torch.ones(1, h, w), torch.ones(1, h, w)
        return Correspondence(index, weight, cosine, confidence, (h, w), image, image)

    return make
