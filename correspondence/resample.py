"""The same matches on other grids, such as the token grid of an attention layer or the pixels of an image."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .correspondence import NO_MATCH, Correspondence


def resample_matches(
    correspondence: Correspondence, grid: tuple[int, int], appearance_grid: tuple[int, int]
) -> Correspondence:
    """The matches between positions of a structure grid (h, w) and of an appearance grid (h', w').

    A new position asks the old position that its center lies in, and keeps its offset from there: on finer grids, what
    was one match is carried as a patch, and matching everything with itself stays that. All in whole numbers, so exact.
    Matches finer than a position are read between the old positions instead, bilinearly.
    """
    rows, down = _sources(correspondence.grid[0], grid[0])
    columns, right = _sources(correspondence.grid[1], grid[1])
    position = correspondence.index[:, :, rows][..., columns]
    width = correspondence.appearance_grid[1]
    if correspondence.subcell is not None:
        return _between(correspondence, grid, appearance_grid, position != NO_MATCH, (rows, columns))
    y = _moved(position // width, down[:, None], grid[0], correspondence.appearance_grid[0], appearance_grid[0])
    x = _moved(position % width, right, grid[1], width, appearance_grid[1])
    return replace(
        correspondence,
        index=torch.where(position == NO_MATCH, NO_MATCH, y * appearance_grid[1] + x),
        weight=correspondence.weight[:, :, rows][..., columns],
        cosine=correspondence.cosine[:, rows][..., columns],
        confidence=correspondence.confidence[:, rows][..., columns],
        appearance_grid=appearance_grid,
    )


def _sources(old: int, new: int) -> tuple[Tensor, Tensor]:
    """For each of `new` positions along an axis: the one of `old` positions its center is in, and where in it.

    The offset is counted in 1/(2*new) of an old position, which makes it whole.
    """
    center = (2 * torch.arange(new) + 1) * old
    return center // (2 * new), center % (2 * new)


def _moved(position: Tensor, offset: Tensor, new: int, old_target: int, new_target: int) -> Tensor:
    """Positions along an axis of `old_target`, with offsets as from `_sources`, on an axis of `new_target`
    positions.
    """
    return (position * 2 * new + offset.to(position.device)) * new_target // (2 * new * old_target)


def _centers(grid: tuple[int, int], like: Tensor) -> Tensor:
    """[h, w, (y, x)]: the centers of positions as shares of height and width."""
    y, x = ((torch.arange(size).to(like) + 0.5) / size for size in grid)
    return torch.stack(torch.meshgrid(y, x, indexing="ij"), dim=-1)


def _between(
    old: Correspondence, grid: tuple[int, int], appearance_grid: tuple[int, int], matched: Tensor, sources: Any
) -> Correspondence:
    """`resample_matches` of matches finer than a position. Positions without a match have no part in the mean.

    What is interpolated is how far a match lies from its own place, so that what matches itself stays exactly that.
    """
    known = (old.best != NO_MATCH)[..., None].to(old.points())
    moved = old.points() - _centers(old.grid, old.points())
    values = torch.cat([moved * known, known], dim=-1).movedim(-1, 1)
    if grid != old.grid:
        values = interpolate(values, size=grid, mode="bilinear", align_corners=False)
    moved, weight = values.movedim(1, -1).split([2, 1], dim=-1)
    points = (_centers(grid, moved) + moved / weight.clamp(min=1e-6)).clamp(0, 1)
    limits = torch.tensor(appearance_grid, device=points.device)
    y, x = (points * limits).long().minimum(limits - 1).unbind(-1)
    rows, columns = sources
    index = old.index[:, :, rows][..., columns]
    first = (y * appearance_grid[1] + x)[:, None].expand_as(index[:, :1])
    return replace(
        old,
        index=torch.where(matched, torch.cat([first, index[:, 1:]], dim=1), NO_MATCH),
        weight=old.weight[:, :, rows][..., columns],
        cosine=old.cosine[:, rows][..., columns],
        confidence=old.confidence[:, rows][..., columns],
        appearance_grid=appearance_grid,
        subcell=points,
    )
