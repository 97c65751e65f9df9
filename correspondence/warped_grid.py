"""The matches as a grid that lies over the appearance: each of its crossings is a position of the structure."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from .correspondence import NO_MATCH, Correspondence

MOST_LINES = 24
"""Lines in each direction; of a finer grid, so many evenly spaced ones."""


def warped_grid(correspondence: Correspondence, image: int = 0, most: int = MOST_LINES) -> dict[str, Any]:
    """Where positions of structure number `image` lie in the appearance, ready for JSON.

    rows, columns: how many crossings. points: rows*columns of [x, y] in pixels of the appearance, to a tenth, or None
        where nothing matches. confidence: as many whole percents.
    """
    rows, columns = (_spaced(size, most) for size in correspondence.grid)

    def crossings(values: Tensor) -> Tensor:
        return values[image].cpu()[rows][:, columns].flatten(0, 1)

    height, width = correspondence.appearance_image
    pixels = crossings(correspondence.points()).double().flip(-1) * torch.tensor([width, height])
    matched = crossings(correspondence.best) != NO_MATCH
    return {
        "rows": len(rows),
        "columns": len(columns),
        "points": [
            [round(x, 1), round(y, 1)] if known else None
            for (x, y), known in zip(pixels.tolist(), matched.tolist(), strict=True)
        ],
        "confidence": (100 * crossings(correspondence.confidence)).round().int().tolist(),
    }


def _spaced(size: int, most: int) -> Tensor:
    """[n] int64: at most so many of the positions 0..size-1, the first and the last among them."""
    return torch.linspace(0, size - 1, min(size, most)).round().long()
