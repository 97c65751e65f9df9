"""Object, side and matches of a run, found from the clean images of its references where a user gave none.

One evaluation of the structure and two of every appearance, as it is and mirrored: their features rank the objects and
match them. It happens once, at the first step that reads a reference.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from math import lcm

import torch
from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.fusion import FeatureRecipe, fuse_maps
from ...correspondence.match import FIELD, match
from ...correspondence.mirroring import either, mean_cosine, mirrored_back
from ...objects.find import find_object
from ..matching.dift_features import up_blocks_of_x0
from ..matching.recipes import recipe_of
from .references import ModelCall, RecordedReference

log = logging.getLogger("appearance_transfer")

LATENT_CONTRAST = 60.0
"""Of the random walk over the channels of a latent, where there is no image."""


@dataclass(frozen=True, eq=False)
class Found:
    """What was found for an appearance.

    structure_mask, appearance_mask: [B, H, W] in 0..1. matches: of the structure with it.
    """

    structure_mask: Tensor
    appearance_mask: Tensor
    matches: Correspondence


def find_guidance(
    call: ModelCall, structure: RecordedReference, appearances: Sequence[RecordedReference]
) -> list[Found]:
    """Object and matches of every appearance beside the structure; says on the node what was found and how surely."""
    recipe = recipe_of(call.guider.model_patcher)
    evaluations = structure.distinct.images + 2 * sum(appearance.distinct.images for appearance in appearances)
    log.info("%d evaluations of the model to find objects and matches.", evaluations)
    ours = _looked_at(call, structure, recipe, mirrored=False)[0]
    structure_masks, sure = _objects(structure, ours, recipe)
    found = []
    for appearance in appearances:
        as_it_is, mirrored = _looked_at(call, appearance, recipe, mirrored=True)
        masks, sure_there = _objects(appearance, as_it_is, recipe)
        matches, flipped = _matched(structure, appearance, ours, (as_it_is, mirrored), recipe)
        found.append(Found(structure_masks, masks, matches))
        log.info(
            "The object of the structure covers %.0f%% of its image (%.0f%% sure), that of the appearance %.0f%% "
            "(%.0f%% sure); %s, matches are %.0f%% sure. Connect masks or matches to replace them.",
            100 * structure_masks.mean(), 100 * sure, 100 * masks.mean(), 100 * sure_there,
            "it matches mirrored" if flipped.all() else "some match mirrored" if flipped.any() else "same side",
            100 * matches.confidence.mean(),
        )  # fmt: skip
    return found


def _looked_at(
    call: ModelCall, reference: RecordedReference, recipe: FeatureRecipe, *, mirrored: bool
) -> list[dict[int, Tensor]]:
    """Features of the images as they are, and mirrored, by up block: [B, C, h, w] each, from one forward."""
    x0 = reference.distinct.x0.to(device=call.sigma.device, dtype=torch.float32)
    ways = torch.stack([x0, x0.flip(-1)]) if mirrored else x0[None]
    prompt = reference.prompt_of_distinct(call.guider, x0, call.seed)
    settings = DiftSettings(timestep=recipe.timestep, ensemble=1, batch=len(x0))
    maps = [
        up_blocks_of_x0(call.guider.inner_model, x, prompt, settings, recipe.up_blocks, call.model_options)
        for x in ways
    ]
    return [
        {block: reference.for_every_image(values) for block, values in zip(recipe.up_blocks, found, strict=True)}
        for found in maps
    ]


def _objects(reference: RecordedReference, features: dict[int, Tensor], recipe: FeatureRecipe) -> tuple[Tensor, float]:
    """MASK [B, H, W] of every image, and how decided they are in the mean."""
    inversion = reference.inversion
    found = []
    for i in range(inversion.images):
        maps = [features[block][i] for block in recipe.object_blocks]
        if inversion.thumbnail is not None:
            found.append(find_object(maps, inversion.thumbnail[i]))
        else:
            found.append(find_object(maps, _colors(inversion.x0[i]), contrast=LATENT_CONTRAST))
    return torch.stack([one.mask for one in found]), sum(one.certainty for one in found) / len(found)


def _colors(latent: Tensor) -> Tensor:
    """[h, w, C] in 0..1 of a latent [C, h, w]."""
    low, high = latent.amin((1, 2), keepdim=True), latent.amax((1, 2), keepdim=True)
    return ((latent - low) / (high - low).clamp(min=1e-6)).movedim(0, -1)


def _matched(
    structure: RecordedReference,
    appearance: RecordedReference,
    ours: dict[int, Tensor],
    sides: tuple[dict[int, Tensor], dict[int, Tensor]],
    recipe: FeatureRecipe,
) -> tuple[Correspondence, Tensor]:
    """Matches by the field, without masks, with the side of the appearance that resembles the structure more; and [B]
    whether that is its mirror image. Of all pairs of a batch, where one may be one for all.
    """
    pairs = lcm(structure.inversion.images, appearance.inversion.images)
    query, plain, other_way = (
        Features(_repeated(fuse_maps(maps, recipe.match_blocks), pairs), size)
        for maps, size in (
            (ours, structure.inversion.size), (sides[0], appearance.inversion.size),
            (sides[1], appearance.inversion.size),
        )
    )  # fmt: skip
    as_it_is = match(query, plain, method=FIELD)
    mirrored = mirrored_back(match(query, other_way, method=FIELD))
    flipped = mean_cosine(mirrored) > mean_cosine(as_it_is)
    return either(flipped, mirrored, as_it_is).moved(device="cpu"), flipped


def _repeated(images: Tensor, times: int) -> Tensor:
    return images[torch.arange(times) % len(images)]
