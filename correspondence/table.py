"""Matches as plain numbers, for what reads them without tensors: the page."""

from __future__ import annotations

from typing import Any

from .correspondence import Correspondence


def match_table(correspondence: Correspondence, picture: int = 0) -> dict[str, Any]:
    """The best match of every place of structure number `picture`, ready for JSON.

    grid, appearance_grid: [h, w] in places. structure_picture, appearance_picture: [H, W] in pixels.
    match: h*w row-major places of the appearance's grid, in the order of the structure's places; NO_MATCH for none.
    confidence: h*w whole percents.
    """
    return {
        "grid": list(correspondence.grid),
        "appearance_grid": list(correspondence.appearance_grid),
        "structure_picture": list(correspondence.structure_picture),
        "appearance_picture": list(correspondence.appearance_picture),
        "match": correspondence.best[picture].flatten().tolist(),
        "confidence": (100 * correspondence.confidence[picture]).round().int().flatten().tolist(),
    }
