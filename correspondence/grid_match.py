"""Matchers that know the grid: they decide about all positions of two images together.

They hold the similarities of all positions of the one object with all of the other. So grids of more than `MOST_SIDE`
positions a side are averaged down to it, and their matches, which are finer than a position, are read between.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from .correspondence import NO_MATCH, Correspondence
from .features import Features
from .field import FieldMatches, FieldQuery
from .resample import resample_matches

MOST_SIDE = 64
Grid = tuple[int, int]
Matcher = Callable[[FieldQuery], FieldMatches]
PointPairs = tuple[Sequence[tuple[float, float]], Sequence[tuple[float, float]]]
"""Points (x, y) in pixels of the structure and of the appearance, the i-th with the i-th."""


def match_on_grids(
    matcher: Matcher,
    structure: Features,
    appearance: Features,
    possible: Tensor,
    masks: tuple[Tensor, Tensor],
    weights: tuple[Tensor | None, Tensor | None],
    labels: tuple[Tensor, Tensor] | None,
    forced: PointPairs,
    floor: float,
) -> Correspondence:
    """The matches of `matcher` for every image of a batch, on the structure's grid.

    possible: [B] bool, images without it get no match. masks: [B, n] and [B, m] bool of the positions. weights: soft
        masks [B or 1, H, W], or None. labels: as of `region_labels`. forced: in every image. floor: less similar
        matches are none.
    """
    grid, there = _grid(structure.grid), _grid(appearance.grid)
    shape = (structure.images, *grid)
    index = torch.full(shape, NO_MATCH, device=structure.values.device)
    cosine, confidence = torch.zeros(2, *shape, device=index.device)
    points = torch.full((*shape, 2), 0.5, device=index.device)
    for i in torch.nonzero(possible)[:, 0].tolist():
        j = i % appearance.images
        asked = _held(masks[0][i], structure.grid, grid)
        query = FieldQuery(
            structure=_pooled(structure.values[i], grid),
            appearance=_pooled(appearance.values[j], there),
            query_mask=asked,
            key_mask=_held(masks[1][i], appearance.grid, there),
            structure_weight=_cover(weights[0], i, grid, index),
            appearance_weight=_cover(weights[1], i, there, index),
            labels=None if labels is None else (
                _labels(labels[0][i], structure.grid, grid), _labels(labels[1][j], appearance.grid, there)
            ),
            forced=_relative_points(forced, structure.image, appearance.image) if forced[0] else None,
        )  # fmt: skip
        found = matcher(query)
        kept = found.matched & (found.cosine >= floor)
        y, x = (found.point * found.point.new_tensor(there)).long().unbind(1)
        position = y.clamp(0, there[0] - 1) * there[1] + x.clamp(0, there[1] - 1)
        index[i][asked] = torch.where(kept, position, NO_MATCH)
        cosine[i][asked], confidence[i][asked] = found.cosine * kept, found.confidence * kept
        points[i][asked] = found.point.clamp(0, 1)
    matches = Correspondence(
        index[:, None], (index[:, None] != NO_MATCH).float(), cosine, confidence, there,
        structure.image, appearance.image, points,
    )  # fmt: skip
    if (grid, there) == (structure.grid, appearance.grid):
        return matches
    return _within(resample_matches(matches, structure.grid, appearance.grid), masks[0])


def _within(matches: Correspondence, mask: Tensor) -> Correspondence:
    """Without the matches of positions outside of a mask [B, n], which a coarser grid has touched."""
    inside = mask.view(len(mask), *matches.grid)
    index = torch.where(inside[:, None], matches.index, NO_MATCH)
    weight, cosine, confidence = matches.weight * inside[:, None], matches.cosine * inside, matches.confidence * inside
    kept = (matches.appearance_grid, matches.structure_image, matches.appearance_image, matches.subcell)
    return Correspondence(index, weight, cosine, confidence, *kept)


def _grid(grid: Grid) -> Grid:
    """A grid of the same shape with at most `MOST_SIDE` positions a side."""
    shrink = min(1.0, MOST_SIDE / max(grid))
    return max(1, round(grid[0] * shrink)), max(1, round(grid[1] * shrink))


def _pooled(values: Tensor, grid: Grid) -> Tensor:
    return values if tuple(values.shape[-2:]) == grid else adaptive_avg_pool2d(values.float(), grid)


def _held(mask: Tensor, old: Grid, grid: Grid) -> Tensor:
    """[h, w] bool: the positions that a mask [n] touches."""
    mask = mask.view(old)
    return mask if old == grid else adaptive_max_pool2d(mask.float()[None], grid)[0] > 0


def _cover(mask: Tensor | None, image: int, grid: Grid, like: Tensor) -> Tensor | None:
    """[h, w] in 0..1: how much of each position a mask [B or 1, H, W] covers."""
    return None if mask is None else adaptive_avg_pool2d(mask[image % len(mask)][None].float().to(like.device), grid)[0]


def _labels(labels: Tensor, old: Grid, grid: Grid) -> Tensor:
    """[h, w] of labels [n]: that of the position in the middle."""
    rows, columns = ((2 * torch.arange(new) + 1) * size // (2 * new) for new, size in zip(grid, old, strict=True))
    return labels.view(old)[rows][:, columns]


def _relative_points(forced: PointPairs, structure: Grid, appearance: Grid) -> tuple[Tensor, Tensor]:
    """Both lists as [k, (y, x)] in 0..1 of their images."""
    ours, theirs = (
        torch.tensor(points).flip(-1) / torch.tensor(image)
        for points, image in zip(forced, (structure, appearance), strict=True)
    )
    return ours, theirs
