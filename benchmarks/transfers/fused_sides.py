"""Fused features of both images of pairs, and of the appearance's mirror image, as transfers read them.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import replace

from torch import Tensor

from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.fusion import fused
from ...host.matching.dift_features import dift_features
from .inverted import Models
from .pairs import RenderedPairs, prompt

GRID = 32
"""Positions from top to bottom."""
ROWS = 64  # per forward
Recipe = tuple[tuple[tuple[int, int], float], ...]
"""(timestep, up block) and weight of every part."""
ONE_DRAW = (((421, 1), 1.0), ((421, 0), 0.5))
"""What the transfers read by themselves, one evaluation of an image."""
Sides = tuple[Features, Features, Features]
"""Of the structures, of the appearances, and of their mirror images."""


def fused_sides(
    models: Models,
    truth: RenderedPairs,
    recipe: Recipe = ONE_DRAW,
    ensemble: int = 1,
    structures: Tensor | None = None,
) -> Sides:
    """Every image under the text of its noun. structures: [B, H, W, 3], other ones than those of the pairs."""
    structure, appearance, mirrored = (
        fused_features(models, images, nouns, recipe, ensemble)
        for images, nouns in (
            (truth.structure.image if structures is None else structures, truth.structure_nouns),
            (truth.appearance.image, truth.appearance_nouns),
            (truth.appearance.image.flip(2), truth.appearance_nouns),
        )
    )
    return structure, appearance, mirrored


def fused_features(
    models: Models, images: Tensor, nouns: list[str], recipe: Recipe = ONE_DRAW, ensemble: int = 1
) -> Features:
    """Of images [B, H, W, 3], each under the text of its noun."""
    latent, positive = models.encode(images), models.conditioning([prompt(noun) for noun in nouns])
    size = (images.shape[1], images.shape[2])
    parts = [
        dift_features(
            models.model,
            latent,
            positive,
            DiftSettings(timestep=timestep, up_block=block, ensemble=ensemble, batch=ROWS),
            size,
        )
        for (timestep, block), _ in recipe
    ]
    values = fused([part.values for part in parts], [weight for _, weight in recipe], (GRID, GRID * size[1] // size[0]))
    return replace(parts[0], values=values, source={})
