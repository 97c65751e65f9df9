"""Keypoints of pocket pairs: spots of the structure animal that the appearance shows, too."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.pck import find_keypoints, reference_sizes
from ...correspondence.points import Point
from ...pocket.truth import true_correspondence
from ..transfers.pairs import RenderedPairs

KEYPOINTS = 64
"""Per pair at most."""
ALPHA = 0.1


@dataclass(frozen=True)
class Keypoints:
    """For each pair, the spots (x, y) in pixels of both images; and the appearance animals' masks [pairs, H, W]."""

    structure: list[list[Point]]
    appearance: list[list[Point]]
    mask: Tensor


def keypoints_of(truth: RenderedPairs) -> Keypoints:
    """An even sample of the structure's pixels whose spot the appearance shows, in row-major order.

    Where the two face opposite ways they show different flanks, so there the animal counts as symmetrical.
    """
    structure, appearance = [], []
    for i, pair in enumerate(truth.pairs):
        match = true_correspondence(truth.structure, truth.appearance, i, i, mirror=not pair.same_side)
        ours, theirs = spread(match, match.shape[1])
        structure.append(ours)
        appearance.append(theirs)
    return Keypoints(structure, appearance, truth.appearance.mask)


def spread(match: Tensor, width: int) -> tuple[list[Point], list[Point]]:
    """An even sample of the pixels that have a match, and their matches.

    match: int64 [H, W], pixels of an image of that width, row by row, or -1.
    """
    known = torch.nonzero(match.flatten() >= 0)[:, 0]
    chosen = known[torch.linspace(0, len(known) - 1, min(KEYPOINTS, len(known))).round().long()]
    return _points(chosen, match.shape[1]), _points(match.flatten()[chosen], width)


def fractions_found(correspondence: Correspondence, keypoints: Keypoints) -> Tensor:
    """[pairs]: the share of keypoints that are found, PCK@0.1 of the appearance animal's box."""
    sizes = reference_sizes(correspondence, keypoints.appearance, keypoints.mask)
    found = find_keypoints(correspondence, keypoints.structure, keypoints.appearance, sizes, ALPHA)
    return torch.stack([one.correct.double().mean() for one in found])


def _points(positions: Tensor, width: int) -> list[Point]:
    """Centers of pixels, given by their row-major numbers."""
    return [(position % width + 0.5, position // width + 0.5) for position in positions.tolist()]
