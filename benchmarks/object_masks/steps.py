"""Find Object with one of its steps left out, or another in its place."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import torch
from torch import Tensor

from ...objects.random_walker import Pixel, WalkerSettings, walk
from ...objects.ranking import RankingSettings, border_of, on_one_grid, otsu_threshold, rank_object, ranking_on, scaled

Step = Callable[[list[Tensor], Tensor], Tensor]
"""(maps [C, h, w] of an image, the image [H, W, 3]) -> the object [H', W'] in 0..1"""
SURE = 0.8
"""A probability from which on a position is a seed, of the object or of the background."""
CERTAIN = 1e-6
"""Weight of the prior where seeds alone shall decide."""
STEEPNESS = RankingSettings().steepness


def border_ranked_once(maps: list[Tensor], image: Tensor) -> Tensor:
    """What is ranked least like the border is not ranked again."""
    features = on_one_grid(maps)
    rank = scaled(-ranking_on(features, RankingSettings())(border_of(features.shape[-2], features.shape[-1])))
    probability = torch.sigmoid(STEEPNESS * (rank - otsu_threshold(rank)))
    return walk(image, probability.float().view(features.shape[-2:]))


def distance_to_border(maps: list[Tensor], image: Tensor) -> Tensor:
    """No graph: the less a position resembles the mean of the border, the rather it is object."""
    features = on_one_grid(maps)
    unit = features.flatten(1).double() / len(maps) ** 0.5  # of length 1, as each map is
    border = border_of(features.shape[-2], features.shape[-1]).flatten().bool()
    rank = scaled(1 - unit[:, border].mean(1) @ unit)
    probability = torch.sigmoid(STEEPNESS * (rank - otsu_threshold(rank)))
    return walk(image, probability.float().view(features.shape[-2:]))


def hard_prior(maps: list[Tensor], image: Tensor) -> Tensor:
    """The walk sees object or background, nothing between."""
    return walk(image, (rank_object(on_one_grid(maps)) > 0.5).float())


def colorless_walk(maps: list[Tensor], image: Tensor) -> Tensor:
    """The walk does not see the image: it only smooths."""
    return walk(image, rank_object(on_one_grid(maps)), WalkerSettings(contrast=0.0))


def walk_from_seeds(maps: list[Tensor], image: Tensor) -> Tensor:
    """The walk without priors (Grady, IEEE PAMI 2006): positions that are sure are its ends, the others say nothing."""
    probability = rank_object(on_one_grid(maps))
    objects, background = (_centers(probability >= SURE), _centers(probability <= 1 - SURE))
    settings = WalkerSettings(prior=CERTAIN)
    return walk(image, probability, settings, objects=objects, background=background)


def walk_from_ellipse(maps: list[Tensor], image: Tensor, cover: float) -> Tensor:
    """No features: the walk begins with an ellipse in the middle that covers so much of the image."""
    return walk(image, ellipse(image.shape[0], image.shape[1], cover).float())


def ellipse(height: int, width: int, cover: float) -> Tensor:
    """bool [height, width]"""
    y, x = torch.meshgrid(torch.linspace(-1, 1, height), torch.linspace(-1, 1, width), indexing="ij")
    return y**2 + x**2 < 4 * cover / torch.pi


def _centers(chosen: Tensor) -> tuple[Pixel, ...]:
    height, width = chosen.shape
    return tuple(((row + 0.5) / height, (column + 0.5) / width) for row, column in chosen.nonzero().tolist())


def left_out(cover: float) -> dict[str, Step]:
    """By what is left out or replaced. cover: how much of an image objects cover in the mean."""
    return {
        "without features, an ellipse walked": partial(walk_from_ellipse, cover=cover),
        "distance to the border in place of ranking": distance_to_border,
        "the border ranked once": border_ranked_once,
        "a hard prior": hard_prior,
        "the walk from seeds, without priors": walk_from_seeds,
        "the walk without the image's colors": colorless_walk,
    }
