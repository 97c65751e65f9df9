"""Matching by the whole field: what all matches of two objects say together decides about each of them.

1. Neighborhood consensus smooths the similarities (`consensus`).
2. Mutual nearest neighbors are seeds; a robust affine map and kriging make a smooth field of them (`smooth_field`).
3. Around the field, the similarities themselves find a position finer than a grid.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .box import Box
from .consensus import consensus
from .smooth_field import bend, fit_field, gaussian

FEWEST_SEEDS = 6
MOST_SEEDS = 1500
TEMPERATURE, SPREAD, WINDOW = 0.05, 0.07, 0.1
"""Of the refinement: of the cosines, the standard deviation around the field, and the reach around the best position,
the last two in box units."""
NEAR = 0.1
"""How far a neighbor of a position is near, in box units."""
CALIBRATION = (-3.6, 4.0, 1.1)
"""Of the logistic that turns the support of a match, and the mean support of all, into a probability: fitted on pairs
of the pocket world that nothing is reported of (benchmarks/matching.py)."""
CHUNK = 512


@dataclass(frozen=True, eq=False)
class FieldQuery:
    """Two images to match, on the device that computes.

    structure [C, h, w] and appearance [C, h', w']: features, any length. query_mask [h, w], key_mask [h', w'] bool.
    structure_weight [h, w], appearance_weight [h', w']: 0..1, how surely a position is of the object; it weighs seeds.
    labels: ([h, w], [h', w']) int64; only positions of one label match.
    forced: points of the structure and of the appearance [k, (y, x)] as shares of their images, which a user has given.
    """

    structure: Tensor
    appearance: Tensor
    query_mask: Tensor
    key_mask: Tensor
    structure_weight: Tensor | None = None
    appearance_weight: Tensor | None = None
    labels: tuple[Tensor, Tensor] | None = None
    forced: tuple[Tensor, Tensor] | None = None


@dataclass(frozen=True, eq=False)
class FieldMatches:
    """For each of n positions inside the query mask, row by row.

    point: [n, (y, x)] in the appearance, as shares of its height and width. cosine, confidence: [n], 0 where nothing
        may match. matched: [n] bool. seeds: how many mutual nearest neighbors the field was made of; below
        `FEWEST_SEEDS` it is the nearest neighbor by consensus.
    """

    point: Tensor
    cosine: Tensor
    confidence: Tensor
    matched: Tensor
    seeds: int


def field_matches(query: FieldQuery) -> FieldMatches:
    """The matches of all positions inside the query mask. Both masks have to hold a position."""
    here, there = Box.around(query.query_mask), Box.around(query.key_mask)
    rows = here.part(query.query_mask).flatten()
    agreed, similarity = (scores[rows] for scores in scores_in_boxes(query, here, there))
    points, targets = here.centers(agreed.device)[rows], there.centers(agreed.device)
    best, nearest = agreed.max(dim=1)
    forced = _forced(query, here, there, points)
    certainty = certainty_in_boxes(query, here, there)
    seeds, weight = mutual_seeds(agreed, best, nearest, certainty[0][rows], certainty[1])
    known = best.isfinite()
    smooth = _smooth(points, targets[nearest], seeds, weight, forced)
    fine = targets[nearest]
    if smooth is not None:
        placed = torch.lerp(refined(similarity, smooth, targets), smooth, _told(points, forced[0]))
        fine = torch.where(known[:, None], placed, fine)
    index = there.position_of(fine)
    cosine = similarity.gather(1, index[:, None])[:, 0]
    cosine = torch.where(cosine.isfinite(), cosine, best.clamp(min=-1))
    return FieldMatches(
        there.to_image(fine, (query.key_mask.shape[0], query.key_mask.shape[1])),
        torch.where(known, cosine.clamp(-1, 1), 0.0),
        torch.where(known, confidence_of(points, targets[nearest], fine), 0.0),
        known,
        len(seeds),
    )


def _smooth(
    points: Tensor, nearest: Tensor, seeds: Tensor, weight: Tensor, forced: tuple[Tensor, Tensor]
) -> Tensor | None:
    """[n, 2]: where the field sends the points, bent to what a user has given; None without enough to go by."""
    asked = torch.cat([forced[0], points])
    if len(seeds) >= FEWEST_SEEDS:
        values = fit_field(points[seeds], nearest[seeds], weight.clamp(min=1e-3))(asked)
    elif len(forced[0]):
        values = nearest[torch.cdist(asked, points).argmin(dim=1)]
    else:
        return None
    return bend(values, asked, *forced)[len(forced[0]) :] if len(forced[0]) else values


def scores_in_boxes(query: FieldQuery, here: Box, there: Box) -> tuple[Tensor, Tensor]:
    """[n, m] each, of all positions in both boxes: similarities in consensus and as they are, -inf where two positions
    may not match.
    """
    asked, key_mask = here.part(query.query_mask), there.part(query.key_mask)
    similarity = _directions(here.part(query.structure)) @ _directions(there.part(query.appearance)).T
    agreed = consensus(similarity, asked, key_mask)
    for scores in (agreed, similarity):
        scores[:, ~key_mask.flatten()] = -torch.inf
        if query.labels is not None:
            ours, theirs = here.part(query.labels[0]).flatten(), there.part(query.labels[1]).flatten()
            scores.masked_fill_(ours[:, None] != theirs, -torch.inf)
    return agreed, similarity


def _directions(features: Tensor) -> Tensor:
    """[n, C] of length 1."""
    return normalize(features.float().flatten(1).T, dim=1)


def certainty_in_boxes(query: FieldQuery, here: Box, there: Box) -> tuple[Tensor, Tensor]:
    """How surely each position of the boxes is of the object, in 0..1: [n], [m]."""
    sides = (here, query.structure_weight, query.query_mask), (there, query.appearance_weight, query.key_mask)
    ours, theirs = (box.part(mask.float() if weight is None else weight).flatten() for box, weight, mask in sides)
    return ours, theirs


def mutual_seeds(agreed: Tensor, best: Tensor, nearest: Tensor, ours: Tensor, theirs: Tensor) -> tuple[Tensor, Tensor]:
    """Rows that are the nearest of their nearest, [s], and how much each counts, [s]; the heaviest `MOST_SEEDS`.

    agreed: [n, m], similarities; best, nearest: [n], the highest of each row and where it is. ours [n], theirs [m]: how
    surely positions are of the object.
    """
    mutual = agreed.argmax(dim=0)[nearest] == torch.arange(len(agreed), device=agreed.device)
    rows = torch.nonzero(mutual & (best > 0))[:, 0]
    weight = best[rows] * ours[rows] * theirs[nearest[rows]]
    if len(rows) > MOST_SEEDS:
        kept = weight.topk(MOST_SEEDS).indices
        rows, weight = rows[kept], weight[kept]
    return rows, weight


def _forced(query: FieldQuery, here: Box, there: Box, like: Tensor) -> tuple[Tensor, Tensor]:
    """A user's points in the coordinates of the boxes, [k, 2] each."""
    if query.forced is None:
        return like[:0], like[:0]
    sides = (here, query.forced[0], query.query_mask), (there, query.forced[1], query.key_mask)
    ours, theirs = (box.from_image(points.to(like), (mask.shape[0], mask.shape[1])) for box, points, mask in sides)
    return ours, theirs


def _told(points: Tensor, forced: Tensor) -> Tensor:
    """[n, 1] in 0..1: how near a point lies that a user has given, where the field is not refined any more."""
    if not len(forced):
        return torch.zeros_like(points[:, :1])
    return gaussian(points, forced, NEAR).amax(1, keepdim=True)


def refined(similarity: Tensor, field: Tensor, targets: Tensor) -> Tensor:
    """[n, 2]: near the field, the mean of the positions around the best one, by softmax of their similarities."""
    parts = []
    for cosine, around in zip(similarity.split(CHUNK), field.split(CHUNK), strict=True):
        logits = cosine / TEMPERATURE - torch.cdist(around, targets).square() / (2 * SPREAD**2)
        best = targets[logits.argmax(dim=1)]
        logits = logits.masked_fill(torch.cdist(best, targets) > WINDOW, -torch.inf)
        parts.append(logits.softmax(dim=1).nan_to_num(0.0) @ targets)
    return torch.cat(parts)


def support(points: Tensor, nearest: Tensor, fine: Tensor) -> Tensor:
    """[n] in 0..1: the share of positions nearby whose nearest neighbor lies where the field puts it."""
    agrees = ((nearest - fine).norm(dim=1) <= WINDOW).float()
    parts = []
    for some in points.split(CHUNK):
        near = gaussian(some, points, NEAR)
        parts.append(near @ agrees / near.sum(1))
    return torch.cat(parts)


def confidence_of(points: Tensor, nearest: Tensor, fine: Tensor) -> Tensor:
    """[n] in 0..1: how probably a match lies within a tenth of the object's box of the truth."""
    local = support(points, nearest, fine)
    return torch.sigmoid(CALIBRATION[0] + CALIBRATION[1] * local + CALIBRATION[2] * local.mean())
