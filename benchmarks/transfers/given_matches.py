"""Matches that a benchmark gives to a method: the renderer's, the field's, and the field's with some made wrong.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import torch
from torch import Tensor

from ...correspondence.box import Box
from ...correspondence.correspondence import Correspondence
from ...correspondence.features import Features
from ...correspondence.field import FieldMatches, FieldQuery, confidence_of, field_matches, scores_in_boxes
from ...correspondence.grid_match import Matcher, match_on_grids
from ...correspondence.mirroring import matched_side
from .fused_sides import fused_sides
from .inverted import InvertedPairs, Models
from .rearranged import true_matches

GivenMatches = Callable[[Models, InvertedPairs], Correspondence]
SEED = 5


def given_truth(models: Models, pairs: InvertedPairs) -> Correspondence:
    """See `true_matches`."""
    return true_matches(pairs.truth)


def by_the_field(*, mirroring: bool = True, matcher: Matcher = field_matches) -> GivenMatches:
    """What Cross-Image Attention finds by itself. mirroring: with the side of the appearance that is more alike."""

    def find(models: Models, pairs: InvertedPairs) -> Correspondence:
        structure, appearance, mirrored = fused_sides(models, pairs.truth)
        everywhere = partial(_everywhere, matcher)
        if not mirroring:
            return everywhere(structure, appearance)
        return matched_side(structure, appearance, mirrored, matcher=everywhere)[0]

    return find


def damaged(fraction: float) -> GivenMatches:
    """The same with a fraction 0..1 of all positions pointed elsewhere at random; always the same ones."""
    return by_the_field(matcher=lambda query: _damaged(query, fraction))


def _everywhere(matcher: Matcher, structure: Features, appearance: Features, **masks: None) -> Correspondence:
    """Matches of whole images."""
    sides = [torch.ones(side.images, side.grid[0] * side.grid[1], dtype=torch.bool) for side in (structure, appearance)]
    possible = torch.ones(structure.images, dtype=torch.bool)
    return match_on_grids(
        matcher, structure, appearance, possible, (sides[0], sides[1]), (None, None), None, ((), ()), -1.0
    )


def _damaged(query: FieldQuery, fraction: float) -> FieldMatches:
    """The field with wrong matches in it, which are as sure as the field would be of them."""
    found = field_matches(query)
    here, there = Box.around(query.query_mask), Box.around(query.key_mask)
    grid = (query.key_mask.shape[0], query.key_mask.shape[1])
    points, targets = here.centers(), there.centers()
    nearest = targets[scores_in_boxes(query, here, there)[0].argmax(1)]
    fine = _elsewhere(there.from_image(found.point, grid), targets, fraction)
    return replace(found, point=there.to_image(fine, grid), confidence=confidence_of(points, nearest, fine))


def _elsewhere(points: Tensor, targets: Tensor, fraction: float) -> Tensor:
    generator = torch.Generator().manual_seed(SEED)
    wrong = torch.rand(len(points), 1, generator=generator) < fraction
    return torch.where(wrong, targets[torch.randint(len(targets), (len(points),), generator=generator)], points)
