"""Object, side and matches of a run, found from the clean images of its references where a user gave none.

One evaluation of the structure and two of every appearance, as it is and mirrored: their features rank the objects and
match them. It happens once, at the first step that reads a reference.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import lcm

import torch
from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.fusion import FeatureRecipe, fuse_maps
from ...correspondence.match import FIELD, match
from ...correspondence.mirroring import matched_side
from ...objects.find import find_object
from ..matching.dift_features import up_blocks_of_x0
from ..matching.recipes import recipe_of
from .plan import Appearance
from .references import ModelCall, RecordedReference

log = logging.getLogger("appearance_transfer")

MASKS = ("structure_mask", "appearance_mask")
LATENT_CONTRAST = 60.0
"""Of the random walk over the channels of a latent, where there is no image."""


@dataclass(frozen=True)
class Matching:
    """How objects are matched. method: see `match`. within: only inside the masks of the objects, given or found,
    without their soft edge. whole: by whole positions, since between two matches that lie far apart there is none.
    """

    method: str = FIELD
    within: bool = False
    whole: bool = False


@dataclass(frozen=True, eq=False)
class Found:
    """What was found for an appearance.

    structure_mask, appearance_mask: [B, H, W] in 0..1. matches: of the structure with it.
    """

    structure_mask: Tensor
    appearance_mask: Tensor
    matches: Correspondence


def find_guidance(
    call: ModelCall,
    structure: RecordedReference,
    appearances: Sequence[RecordedReference],
    entries: Sequence[Appearance],
    matching: Matching,
) -> list[Found]:
    """Object and matches of every appearance beside the structure; says on the node what was found and how surely.

    entries: of each appearance what a user has said about it, of which the masks are read.
    """
    recipe = recipe_of(call.guider.model_patcher)
    evaluations = structure.distinct.images + 2 * sum(appearance.distinct.images for appearance in appearances)
    log.info("%d evaluations of the model to find objects and matches.", evaluations)
    ours = _looked_at(call, structure, recipe, mirrored=False)[0]
    structure_masks, sure = _objects(structure, ours, recipe, hard=matching.within)
    if not bool(structure_masks.any()):
        log.warning("No object was found in the structure, so nothing of it changes. Connect a mask of it.")
    found = []
    for appearance, entry in zip(appearances, entries, strict=True):
        as_it_is, mirrored = _looked_at(call, appearance, recipe, mirrored=True)
        masks, sure_there = _objects(appearance, as_it_is, recipe, hard=matching.within)
        sides = [
            Features(fuse_maps(maps, recipe.match_blocks), reference.inversion.size)
            for maps, reference in ((ours, structure), (as_it_is, appearance), (mirrored, appearance))
        ]
        within = [
            mask if own is None else _without_edge(own)
            for mask, own in ((structure_masks, entry.mask), (masks, entry.appearance_mask))
        ]  # fmt: skip
        matches, flipped = _matched(sides, within, matching)
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


def _objects(
    reference: RecordedReference, features: dict[int, Tensor], recipe: FeatureRecipe, *, hard: bool
) -> tuple[Tensor, float]:
    """MASK [B, H, W] of every image, and how decided they are in the mean."""
    inversion = reference.inversion
    found = []
    for i in range(inversion.images):
        maps = [features[block][i] for block in recipe.object_blocks]
        if inversion.thumbnail is not None:
            found.append(find_object(maps, inversion.thumbnail[i]))
        else:
            found.append(find_object(maps, _colors(inversion.x0[i]), contrast=LATENT_CONTRAST))
    masks = torch.stack([one.mask for one in found])
    return (masks > 0.5).float() if hard else masks, sum(one.certainty for one in found) / len(found)


def _colors(latent: Tensor) -> Tensor:
    """[h, w, C] in 0..1 of a latent [C, h, w]."""
    low, high = latent.amin((1, 2), keepdim=True), latent.amax((1, 2), keepdim=True)
    return ((latent - low) / (high - low).clamp(min=1e-6)).movedim(0, -1)


def _matched(sides: Sequence[Features], masks: Sequence[Tensor], matching: Matching) -> tuple[Correspondence, Tensor]:
    """Matches with the side of the appearance that resembles the structure more; and [B] whether that is its mirror
    image. Of all pairs of a batch, where one may be one for all.

    sides: of the structure, of the appearance as it is, and mirrored.
    """
    pairs = lcm(*(side.images for side in sides), *(len(mask) for mask in masks if matching.within))
    query, plain, mirrored = (replace(side, values=repeated(side.values, pairs)) for side in sides)
    within = {}
    if matching.within:
        within = dict(zip(MASKS, (repeated(_nonempty(mask), pairs) for mask in masks), strict=True))
    matches, flipped = matched_side(query, plain, mirrored, matcher=partial(match, method=matching.method), **within)
    if matching.whole:
        matches = replace(matches, subcell=None)
    return matches.moved(device="cpu"), flipped


def _without_edge(mask: Tensor) -> Tensor:
    """1 where a mask is above a half, else 0: at a soft edge there is background, which is not to be matched. A mask
    that is nowhere above it stays as it is.
    """
    hard = (mask > 0.5).float()
    return torch.where(hard.amax((1, 2), keepdim=True) > 0, hard, mask)


def _nonempty(mask: Tensor) -> Tensor:
    """Everything where nothing of a mask is left."""
    return torch.where(mask.amax((1, 2), keepdim=True) > 0, mask, 1.0)


def repeated(images: Tensor, times: int) -> Tensor:
    """[b, ...] one after the other, and over again, until there are so many."""
    return images[torch.arange(times) % len(images)]
