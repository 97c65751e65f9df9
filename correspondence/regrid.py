"""The same matches on other grids, such as the token grid of an attention layer or the pixels of a picture."""

from __future__ import annotations

from dataclasses import replace

import torch
from torch import Tensor

from .correspondence import NO_MATCH, Correspondence


def regrid(correspondence: Correspondence, grid: tuple[int, int], appearance_grid: tuple[int, int]) -> Correspondence:
    """The matches between places of a structure grid (h, w) and of an appearance grid (h', w').

    A new place asks the old place that its centre lies in, and keeps its offset from there: on finer grids, what was
    one match is carried as a patch, and matching everything with itself stays that. All in whole numbers, so exact.
    """
    rows, down = _sources(correspondence.grid[0], grid[0])
    columns, right = _sources(correspondence.grid[1], grid[1])
    place = correspondence.index[:, :, rows][..., columns]
    width = correspondence.appearance_grid[1]
    y = _moved(place // width, down[:, None], grid[0], correspondence.appearance_grid[0], appearance_grid[0])
    x = _moved(place % width, right, grid[1], width, appearance_grid[1])
    return replace(
        correspondence,
        index=torch.where(place == NO_MATCH, NO_MATCH, y * appearance_grid[1] + x),
        weight=correspondence.weight[:, :, rows][..., columns],
        cosine=correspondence.cosine[:, rows][..., columns],
        confidence=correspondence.confidence[:, rows][..., columns],
        appearance_grid=appearance_grid,
    )


def _sources(old: int, new: int) -> tuple[Tensor, Tensor]:
    """For each of `new` places along an axis: the one of `old` places its centre is in, and where in it.

    The offset is counted in 1/(2*new) of an old place, which makes it whole.
    """
    centre = (2 * torch.arange(new) + 1) * old
    return centre // (2 * new), centre % (2 * new)


def _moved(place: Tensor, offset: Tensor, new: int, old_target: int, new_target: int) -> Tensor:
    """Places along an axis of `old_target`, with offsets as from `_sources`, on an axis of `new_target` places."""
    return (place * 2 * new + offset.to(place.device)) * new_target // (2 * new * old_target)
