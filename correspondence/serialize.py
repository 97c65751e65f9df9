"""Matches as plain numbers, for what reads them without tensors: the page."""

from __future__ import annotations

from typing import Any

from .correspondence import Correspondence


def match_table(correspondence: Correspondence, image: int = 0) -> dict[str, Any]:
    """The best match of every position of structure number `image`, ready for JSON.

    grid, appearance_grid: [h, w] in positions. structure_image, appearance_image: [H, W] in pixels.
    match: h*w row-major positions of the appearance's grid, in the order of the structure's positions; NO_MATCH for
        none.
    confidence: h*w whole percents.
    """
    return {
        "grid": list(correspondence.grid),
        "appearance_grid": list(correspondence.appearance_grid),
        "structure_image": list(correspondence.structure_image),
        "appearance_image": list(correspondence.appearance_image),
        "match": correspondence.best[image].flatten().tolist(),
        "confidence": (100 * correspondence.confidence[image]).round().int().flatten().tolist(),
    }
