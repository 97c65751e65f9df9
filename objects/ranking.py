"""Which positions of an image belong to its object, by ranking on a graph of features.

Graph-based manifold ranking (Yang et al., CVPR 2013) with deep features in place of superpixels' colors: the border of
the image is taken for background, what is ranked least like it for object, and both are ranked over the whole graph.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, normalize

from .clicked import Cell

MOST_POSITIONS = 1024
"""The graph has an edge between any two positions; features on a finer grid are averaged down to so many."""


@dataclass(frozen=True)
class RankingSettings:
    """bandwidth: of the weight exp(-(1 - cosine) / bandwidth). damping: of the ranking, (diag(d) - damping W)^-1 query.
    steepness: of the probability, sigmoid(steepness * (rank - Otsu's threshold)).
    """

    bandwidth: float = 0.1
    damping: float = 0.99
    steepness: float = 8.0


def rank_object(
    features: Tensor,
    settings: RankingSettings | None = None,
    *,
    objects: tuple[Cell, ...] = (),
    background: tuple[Cell, ...] = (),
) -> Tensor:
    """[h, w] in 0..1: how probably each position belongs to the object.

    features: [C, h, w], any floating dtype; only their directions count. The grid has to be one of `ranking_grid`.
    objects, background: positions that are known to be object or background. Where none of the object is on
        what is found, border positions that look like them are no background; and if that does not help, either, what
        looks more like them than like the border is the object. Those of the background join the border.
    """
    expected = settings or RankingSettings()
    height, width = features.shape[-2:]
    ranked = ranking_on(features, expected)
    border = border_of(height, width)
    for row, column in background:
        border[row, column] = 1
    for row, column in objects:
        border[row, column] = 0

    def object_by(border: Tensor) -> Tensor:
        """The probability [h, w] of what is ranked least like the border."""
        rank = scaled(-ranked(border))
        rank = scaled(ranked((rank > rank.mean()).to(rank)))
        return torch.sigmoid(expected.steepness * (rank - otsu_threshold(rank))).float().view(height, width)

    found = object_by(border)
    if not objects:
        return found
    clicked = torch.zeros_like(border)
    for cell in objects:
        clicked[cell] = 1
    if not _hit(found, objects):
        similarity_to_clicks = scaled(ranked(clicked)).view(height, width)
        found = object_by(border * (similarity_to_clicks < otsu_threshold(similarity_to_clicks)))
    if not _hit(found, objects):
        near, far = (density / density.sum() for density in (ranked(clicked), ranked(border * (1 - clicked))))
        found = torch.sigmoid(expected.steepness * (near / (near + far) - 0.5)).float().view(height, width)
    return found


def ranking_on(features: Tensor, settings: RankingSettings) -> Callable[[Tensor], Tensor]:
    """What ranks the n = h*w positions of features [C, h, w]: from a query of n numbers, fp64, to the ranks [n]."""
    unit = normalize(features.flatten(1).cpu().double(), dim=0)  # not every accelerator has fp64
    similarity = torch.exp((unit.T @ unit - 1) / settings.bandwidth)
    system = torch.diag(similarity.sum(1)) - settings.damping * similarity
    factors = torch.linalg.lu_factor(system)
    return lambda query: torch.linalg.lu_solve(*factors, query.flatten()[:, None])[:, 0]


def _hit(probability: Tensor, cells: tuple[Cell, ...]) -> bool:
    return any(float(probability[cell]) > 0.5 for cell in cells)


def ranking_grid(grid: Cell) -> Cell:
    """The grid (h, w) that features of this grid are ranked on: the same, or one of the same shape that is coarser."""
    height, width = grid
    shrink = min(1.0, (MOST_POSITIONS / (height * width)) ** 0.5)
    return max(2, int(height * shrink)), max(2, int(width * shrink))


def on_one_grid(maps: list[Tensor]) -> Tensor:
    """[C1 + C2 + ..., h, w]: maps [C, h', w'] of one image, each of unit length, on the largest grid that is ranked."""
    return torch.cat([normalize(one, dim=0) for one in resampled_maps(maps)])


def resampled_maps(maps: list[Tensor]) -> list[Tensor]:
    """[C, h, w] fp32 each: the maps on the largest grid that is ranked; once more changes nothing."""
    grid = ranking_grid(max(((one.shape[-2], one.shape[-1]) for one in maps), key=lambda size: size[0] * size[1]))
    return [_resampled(one.float(), grid) for one in maps]


def _resampled(values: Tensor, grid: Cell) -> Tensor:
    if values.shape[-2] >= grid[0] and values.shape[-1] >= grid[1]:
        return adaptive_avg_pool2d(values, grid)
    return torch.nn.functional.interpolate(values[None], size=grid, mode="bilinear")[0]


def otsu_threshold(values: Tensor, bins: int = 256) -> Tensor:
    """The threshold in 0..1 that parts values in 0..1 best in two (Otsu 1979): the largest variance between classes."""
    histogram = torch.histc(values.float().cpu(), bins=bins, min=0.0, max=1.0).double()
    centers = (torch.arange(bins, dtype=torch.float64) + 0.5) / bins
    below = histogram.cumsum(0)
    above = below[-1] - below
    moment = (histogram * centers).cumsum(0)
    gap = moment / below.clamp(min=1) - (moment[-1] - moment) / above.clamp(min=1)
    between = below * above * gap.square()
    best = torch.nonzero(between >= between.max() * (1 - 1e-9)).double().mean()  # the middle, where many are equal
    return ((best + 1) / bins).to(values)


def border_of(height: int, width: int) -> Tensor:
    """[height, width] fp64: 1 on the border, 0 inside."""
    border = torch.ones(height, width, dtype=torch.float64)
    border[1:-1, 1:-1] = 0
    return border


def scaled(values: Tensor) -> Tensor:
    """To 0..1; 0 where all are the same."""
    lowest, highest = values.min(), values.max()
    return (values - lowest) / (highest - lowest).clamp(min=torch.finfo(values.dtype).tiny)
