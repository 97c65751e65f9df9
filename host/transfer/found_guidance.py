"""Object, side and matches of a run, found from the clean images of its references where a user gave none.

One evaluation of the structure and two of every appearance, as it is and mirrored (on a transformer some of each):
their features rank the objects and match them. It happens once, at the first step that reads a reference.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from math import lcm

import torch
from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.features import Features
from ...correspondence.fusion import FeatureRecipe, fuse_maps
from ...correspondence.match import FIELD, match
from ...correspondence.mirroring import matched_side
from ...objects.find import find_object
from ..matching.recipes import maps_of_x0, recipe_of
from ..runtime.latents import framed
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
    _say_evaluations(recipe, structure, appearances)
    ours = _looked_at(call, structure, recipe)
    structure_masks, sure = _objects(call, structure, ours, recipe, hard=matching.within)
    if not bool(structure_masks.any()):
        log.warning("No object was found in the structure, so nothing of it changes. Connect a mask of it.")
    found = []
    for appearance, entry in zip(appearances, entries, strict=True):
        as_it_is, mirrored = (_looked_at(call, appearance, recipe, mirrored=way) for way in (False, True))
        masks, sure_there = _objects(call, appearance, as_it_is, recipe, hard=matching.within)
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


def _say_evaluations(
    recipe: FeatureRecipe, structure: RecordedReference, appearances: Sequence[RecordedReference]
) -> None:
    ours, theirs = structure.distinct.images, sum(appearance.distinct.images for appearance in appearances)
    evaluations = (ours + 2 * theirs) * recipe.draws
    if recipe.elsewhere:
        evaluations += (ours + theirs) * recipe.elsewhere.draws
    log.info("%d evaluations of the model to find objects and matches.", evaluations)


def _looked_at(
    call: ModelCall, reference: RecordedReference, recipe: FeatureRecipe, *, mirrored: bool = False
) -> dict[int, Tensor]:
    """Features of the images as they are, or mirrored, by block: [B, C, h, w] each."""
    x0 = reference.distinct.x0.to(device=call.sigma.device, dtype=torch.float32)
    inner_model = call.guider.inner_model
    prompt = reference.prompt_of_distinct(call.guider, framed(x0, inner_model.latent_format), call.seed)
    maps = maps_of_x0(inner_model, x0.flip(-1) if mirrored else x0, prompt, recipe, call.model_options)
    return {block: reference.for_every_image(values) for block, values in maps.items()}


def _objects(
    call: ModelCall,
    reference: RecordedReference,
    features: dict[int, Tensor],
    recipe: FeatureRecipe,
    *,
    hard: bool,
) -> tuple[Tensor, float]:
    """MASK [B, H, W] of every image, and how decided they are in the mean.

    features: of the recipe, for an object that they tell, too.
    """
    inversion = reference.inversion
    if recipe.elsewhere:
        features = _looked_at(call, reference, recipe.elsewhere)
    found = []
    for i in range(inversion.images):
        maps = [features[block][i] for block in recipe.of_objects.object_blocks]
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
