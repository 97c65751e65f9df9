"""What the pocket U-Net for 256 px says of pairs that another network transfers: objects, and matches.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.fusion import POCKET_RECIPE, fuse_maps
from ...correspondence.match import FIELD, match
from ...correspondence.mirroring import either, mean_cosine, mirrored_back
from ...host.matching.dift_features import dift_features
from ...host.matching.object_finding import find_objects, object_maps
from ..evaluation_counter import EvaluationCount
from .inverted import Masks, Models, pocket_models
from .pairs import RenderedPairs, prompt
from .rearranged import true_matches

TRUE, FOUND = "true", "found"
SIZE = 256


@dataclass(frozen=True, eq=False)
class Guidance:
    """Where the animals are, which position belongs to which, and how many evaluations of the U-Net told it."""

    masks: Masks
    matches: Correspondence
    evaluations: float


@lru_cache(maxsize=4)  # all methods of a batch share them
def guidance_of(truth: RenderedPairs, masks: str, matches: str) -> Guidance:
    """masks, matches: the renderer's (TRUE) or the U-Net's (FOUND). Matches that are found lie inside true masks, as
    far as these are true.
    """
    known = Masks(truth.structure.mask, truth.appearance.mask)
    if masks == matches == TRUE:
        return Guidance(known, true_matches(truth), 0.0)
    models = unet()
    count = EvaluationCount(models.model.model.diffusion_model)
    where = known if masks == TRUE else _objects(models, truth)
    found = true_matches(truth) if matches == TRUE else _by_field(models, truth, known if masks == TRUE else None)
    count.close()
    return Guidance(where, found, sum(count.by_node.values()) / len(truth.pairs))


@lru_cache(maxsize=1)
def unet() -> Models:
    """The committed pocket U-Net for 256 px."""
    return pocket_models(SIZE)


def _objects(models: Models, truth: RenderedPairs) -> Masks:
    return Masks(
        _object(models, truth.structure.image, truth.structure_nouns),
        _object(models, truth.appearance.image, truth.appearance_nouns),
    )


def _object(models: Models, images: Tensor, nouns: list[str]) -> Tensor:
    positive = models.conditioning([prompt(noun) for noun in nouns])
    return find_objects(images, object_maps(models.model, models.encode(images), positive, seed=42))


def _by_field(models: Models, truth: RenderedPairs, inside: Masks | None) -> Correspondence:
    """By the field, with the side of the appearance that resembles the structure more."""
    images = truth.appearance.image
    structure = _fused(models, truth.structure.image, truth.structure_nouns)
    appearance, mirrored = (_fused(models, side, truth.appearance_nouns) for side in (images, images.flip(2)))
    ours, theirs = (inside.structure, inside.appearance) if inside else (None, None)
    mirrored_mask = None if theirs is None else theirs.flip(-1)
    plain = match(structure, appearance, method=FIELD, structure_mask=ours, appearance_mask=theirs)
    other = mirrored_back(match(structure, mirrored, method=FIELD, structure_mask=ours, appearance_mask=mirrored_mask))
    return either(mean_cosine(other) > mean_cosine(plain), other, plain)


def _fused(models: Models, images: Tensor, nouns: list[str]) -> Features:
    positive = models.conditioning([prompt(noun) for noun in nouns])
    recipe, latents = POCKET_RECIPE, models.encode(images)
    size = (images.shape[1], images.shape[2])
    found = {}
    for block in recipe.match_blocks:
        settings = DiftSettings(timestep=recipe.timestep, up_block=block, ensemble=1, batch=len(images))
        found[block] = dift_features(models.model, latents, positive, settings, size)
    maps = {block: features.values for block, features in found.items()}
    return replace(next(iter(found.values())), values=fuse_maps(maps, recipe.match_blocks))
