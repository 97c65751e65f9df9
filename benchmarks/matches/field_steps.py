"""The field out of its own pieces, so that one step of it can be another: what each of them is good for.

`Steps()` matches as `field_matches` does, but for points that a user forces.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor

from ...correspondence.box import Box
from ...correspondence.correspondence import Correspondence
from ...correspondence.features import Features
from ...correspondence.field import (
    FEWEST_SEEDS,
    FieldMatches,
    FieldQuery,
    certainty_in_boxes,
    confidence_of,
    mutual_seeds,
    refined,
    scores_in_boxes,
)
from ...correspondence.grid_match import match_on_grids
from ...correspondence.regions import inside
from ...correspondence.smooth_field import FieldSettings, fit_field

Pair = tuple[Tensor, Tensor]
OFF = 1e9
"""A ridge or a nugget so large that what it holds back does nothing."""


def smoothed(points: Tensor, nearest: Tensor, seeds: Tensor, weight: Tensor, settings: FieldSettings) -> Tensor:
    """[n, 2]: where the field of the seeds sends points [n, 2], whose nearest neighbors lie at `nearest` [n, 2]."""
    return fit_field(points[seeds], nearest[seeds], weight.clamp(min=1e-3), settings)(points)


@dataclass(frozen=True)
class Steps:
    """box: the coordinates. scores: similarities in consensus and plain. seeds: which rows, and their weights. smooth:
    the field through them. refine: what becomes of it.
    """

    box: Callable[[Tensor], Box] = Box.around
    scores: Callable[[FieldQuery, Box, Box], Pair] = scores_in_boxes
    seeds: Callable[[Tensor, Tensor, Tensor, Tensor, Tensor], Pair] = mutual_seeds
    smooth: Callable[[Tensor, Tensor, Tensor, Tensor], Tensor] = partial(smoothed, settings=FieldSettings())
    refine: Callable[[Tensor, Tensor, Tensor], Tensor] = refined

    def __call__(self, query: FieldQuery) -> FieldMatches:
        """As `field_matches`."""
        here, there = self.box(query.query_mask), self.box(query.key_mask)
        rows = here.part(query.query_mask).flatten()
        agreed, similarity = (scores[rows] for scores in self.scores(query, here, there))
        points, targets = here.centers()[rows], there.centers()
        best, nearest = agreed.max(dim=1)
        ours, theirs = certainty_in_boxes(query, here, there)
        seeds, weight = self.seeds(agreed, best, nearest, ours[rows], theirs)
        fine = targets[nearest]
        if len(seeds) >= FEWEST_SEEDS:
            fine = self.refine(similarity, self.smooth(points, fine, seeds, weight), targets)
        cosine = similarity.gather(1, there.position_of(fine)[:, None])[:, 0]
        return FieldMatches(
            there.to_image(fine, (query.key_mask.shape[0], query.key_mask.shape[1])),
            torch.where(cosine.isfinite(), cosine, best.clamp(min=-1)).clamp(-1, 1),
            confidence_of(points, targets[nearest], fine),
            best.isfinite(),
            len(seeds),
        )

    def match(
        self, structure: Features, appearance: Features, structure_mask: Tensor, appearance_mask: Tensor
    ) -> Correspondence:
        """As `match` with the method field. Masks: [B, H, W], with something of each object in every one."""
        masks = inside(structure_mask, structure, "structure mask"), inside(appearance_mask, appearance, "mask")
        possible, soft = masks[0].any(1) & masks[1].any(1), (structure_mask, appearance_mask)
        return match_on_grids(self, structure, appearance, possible, masks, soft, None, ((), ()), -1.0)


def _plain_scores(query: FieldQuery, here: Box, there: Box) -> Pair:
    _, similarity = scores_in_boxes(query, here, there)
    return similarity, similarity


def _whole_grid(mask: Tensor) -> Box:
    return Box(0, mask.shape[0], 0, mask.shape[1])


def _every_row(agreed: Tensor, best: Tensor, nearest: Tensor, ours: Tensor, theirs: Tensor) -> Pair:
    rows = torch.nonzero(best > 0)[:, 0]
    return rows, best[rows] * ours[rows] * theirs[nearest[rows]]


def _weighed_alike(*scores: Tensor) -> Pair:
    rows, _ = mutual_seeds(*scores)
    return rows, torch.ones(len(rows))


def _nowhere_smooth(points: Tensor, nearest: Tensor, seeds: Tensor, weight: Tensor) -> Tensor:
    return nearest


def _as_it_is(similarity: Tensor, field: Tensor, targets: Tensor) -> Tensor:
    return field


LEFT_OUT = {
    "without consensus": Steps(scores=_plain_scores),
    "every nearest neighbor a seed, not mutual ones alone": Steps(seeds=_every_row),
    "all seeds weighed alike": Steps(seeds=_weighed_alike),
    "the affine map not robust": Steps(smooth=partial(smoothed, settings=FieldSettings(rounds=1))),
    "the identity in place of the affine map": Steps(smooth=partial(smoothed, settings=FieldSettings(ridge=OFF))),
    "without kriging": Steps(smooth=partial(smoothed, settings=FieldSettings(nugget=OFF))),
    "without a smooth field, the nearest neighbors refined": Steps(smooth=_nowhere_smooth),
    "without refinement": Steps(refine=_as_it_is),
    "in coordinates of the image, not of the boxes": Steps(box=_whole_grid),
}
"""One step left out, or another in its place."""
