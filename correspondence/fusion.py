"""Several features of an image as one: resampled to one grid, each of unit length, weighted, side by side.

After A Tale of Two Features (Zhang et al., NeurIPS 2023, arXiv 2305.15347): the cosine of fused features is the
weighted mean of the cosines of the parts.
"""

from __future__ import annotations

import math
import reprlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from .dift import BLOCK_PRESETS, TOKENS
from .features import Features

FINEST = 64
"""Positions a side that fused features have at most."""


@dataclass(frozen=True)
class FeatureRecipe:
    """Which features of one forward tell the object, and which the matches.

    timestep: 0 to 999. object_blocks: up blocks of a U-Net, or blocks of a transformer. match_blocks: block -> weight.
    facet: of a transformer's blocks. draws: looks at an image, each with noise of its own. elsewhere: how the object is
    read where other forwards tell it better.
    """

    timestep: int
    object_blocks: tuple[int, ...]
    match_blocks: Mapping[int, float]
    facet: str = TOKENS
    draws: int = 1
    elsewhere: FeatureRecipe | None = None

    @property
    def of_objects(self) -> FeatureRecipe:
        """By which the object is read: this recipe, if one forward tells both."""
        return self.elsewhere or self

    @property
    def blocks(self) -> tuple[int, ...]:
        """All blocks that are read."""
        return tuple(sorted({*self.object_blocks, *self.match_blocks}))


POCKET_RECIPE = FeatureRecipe(timestep=421, object_blocks=(1, 2), match_blocks={1: 1.0, 0: 0.5})
"""Chosen on pairs of the pocket world that nothing is reported of."""
LITERATURE_RECIPE = FeatureRecipe(timestep=261, object_blocks=(1, 2), match_blocks={1: 1.0, 0: 0.5})
"""For SD1.x, SD2.x and SDXL: DIFT's timestep (arXiv 2306.03881) and the pocket checkpoint's blocks; not tried on
published weights.
"""
TRANSFORMER_DRAWS = 4
"""A look alone says less of a transformer than of a U-Net."""


def pocket_transformer_recipe() -> FeatureRecipe:
    """Matches by the block of its preset of `BLOCK_PRESETS`, at a level where little of the image is left to see; the
    object by one look where most of it is. Chosen on scenes that nothing is reported of: the object's silhouette had an
    IoU of 0.87 at the level of the matches (8 scenes), and of 0.95 at this one (32 scenes).
    """
    where = BLOCK_PRESETS["pocket transformer"]
    matches = block_recipe_at(where["block"].block, where["timestep"], where["block"].facet)
    return replace(matches, elsewhere=FeatureRecipe(timestep=200, object_blocks=(5,), match_blocks={}))


def block_recipe_at(block: int, timestep: int, facet: str = TOKENS) -> FeatureRecipe:
    """By one block of a transformer, for objects and matches."""
    return FeatureRecipe(timestep, (block,), {block: 1.0}, facet, TRANSFORMER_DRAWS)


def fuse_maps(maps: Mapping[int, Tensor], weights: Mapping[int, float]) -> Tensor:
    """[B, C1 + C2 + ..., h, w] of features [B, C, h', w'] by block: those with a weight, on a grid twice as fine as
    their finest, whose matches come out finer than when features are interpolated afterwards.
    """
    chosen = [(maps[block], weight) for block, weight in weights.items()]
    finest = max((tuple(values.shape[-2:]) for values, _ in chosen), key=max)
    scale = max(1.0, min(2.0, FINEST / max(finest)))
    return fused([values for values, _ in chosen], [weight for _, weight in chosen], _scaled(finest, scale))


def fused(values: Sequence[Tensor], weights: Sequence[float], grid: tuple[int, int]) -> Tensor:
    """[B, C1 + C2 + ..., *grid]: each [B, C, h, w] interpolated, of unit length, times the root of its weight."""
    parts = [
        normalize(interpolate(one.float(), size=grid, mode="bilinear", align_corners=False), dim=1) * weight**0.5
        for one, weight in zip(values, weights, strict=True)
    ]
    return torch.cat(parts, dim=1)


def fuse(features: Sequence[Features], weights: Sequence[float]) -> Features:
    """Features of the same images as one. The grid is the finest of theirs in each direction.

    weights: 0 or more, not all 0; a feature of weight 0 is left out.

    Raises ValueError for features of different images or in different number, and for weights that leave nothing.
    """
    first = features[0]
    for other in features[1:]:
        if other.image != first.image or other.images != first.images:
            raise ValueError(
                f"The features are of {first.images} image(s) of {first.image[1]}x{first.image[0]} pixels and of "
                f"{other.images} of {other.image[1]}x{other.image[0]}. Make all of them from the same images."
            )
    used = [(one, weight) for one, weight in zip(features, weights, strict=True) if weight > 0]
    if not used:
        raise ValueError("All weights are 0, so there is nothing to fuse. Set one of them above 0.")
    grid = (max(one.grid[0] for one, _ in used), max(one.grid[1] for one, _ in used))
    values = fused([one.values for one, _ in used], [weight for _, weight in used], grid)
    words = [", ".join(f"{word} {value}" for word, value in one.source.items()) for one, _ in used]
    source = {"kind": "fused"} | {f"part {i}": f"{words[i]}, weight {weight:g}" for i, (_, weight) in enumerate(used)}
    return Features(values, first.image, source)


def parse_weights(text: str, count: int) -> list[float]:
    """The weights of so many features that a text lists, with commas or spaces between; 1 for each if it is empty.

    Raises ValueError for another number of them, and for what is no number from 0 on.
    """
    words = text.replace(",", " ").split()
    try:
        weights = [float(word) for word in words] or [1.0] * count
    except ValueError:
        weights = []
    if len(weights) != count or not all(0 <= weight < math.inf for weight in weights):
        raise ValueError(
            f"weights is {reprlib.repr(text)}, but {count} features are connected. Write {count} numbers from 0 on "
            "with commas between, or leave it empty."
        )
    return weights


def _scaled(grid: tuple[int, ...], scale: float) -> tuple[int, int]:
    return max(1, round(grid[0] * scale)), max(1, round(grid[1] * scale))
