"""Optimal transport: every position gives and takes the same, so that no part of the appearance is used by all.

Sinkhorn's algorithm (Cuturi, NeurIPS 2013, arXiv 1306.0895) on the cosines in consensus, with the same place in the box
as a prior.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .box import Box
from .field import WINDOW, FieldMatches, FieldQuery, confidence_of, scores_in_boxes

TEMPERATURE, PRIOR = 0.03, 0.3
"""Of the cosines; and the standard deviation of the prior around the same place in the box, in box units."""
ROUNDS = 50


def transport_matches(query: FieldQuery) -> FieldMatches:
    """Where each position inside the query mask gives most, under the transport of all to all: the mean of the
    positions around the likeliest one, by what they are given. Confidence as of the field. Forced points take no part.
    """
    here, there = Box.around(query.query_mask), Box.around(query.key_mask)
    rows = here.part(query.query_mask).flatten()
    agreed, similarity = (scores[rows] for scores in scores_in_boxes(query, here, there))
    points, targets = here.centers(agreed.device)[rows], there.centers(agreed.device)
    known = agreed.isfinite().any(1)
    logits = agreed / TEMPERATURE - torch.cdist(points, targets).square() / (2 * PRIOR**2)
    plan = transport_plan(logits)
    index = plan.argmax(dim=1)
    fine = _mean_around(targets[index], plan, targets)
    return FieldMatches(
        there.to_image(fine, (query.key_mask.shape[0], query.key_mask.shape[1])),
        torch.where(known, similarity.gather(1, index[:, None])[:, 0].nan_to_num(0.0).clamp(-1, 1), 0.0),
        torch.where(known, confidence_of(points, targets[agreed.argmax(dim=1)], fine), 0.0),
        known,
        0,
    )


def _mean_around(best: Tensor, plan: Tensor, targets: Tensor) -> Tensor:
    """[n, 2]: the mean of the targets within `WINDOW` of the best one, by their part of the plan [n, m]."""
    near = torch.where(torch.cdist(best, targets) <= WINDOW, plan, 0.0)
    mass = near.sum(dim=1, keepdim=True)
    return torch.where(mass > 0, near @ targets / mass.clamp(min=torch.finfo(plan.dtype).tiny), best)


def transport_plan(logits: Tensor, rounds: int = ROUNDS) -> Tensor:
    """[n, m]: exp(logits) with rows and columns scaled, until every row sums to 1/n and every column to 1/m.

    Columns that are nowhere possible (-inf in all rows) get nothing.
    """
    highest = logits.amax(dim=1, keepdim=True)
    kernel = torch.exp(logits - torch.where(highest.isfinite(), highest, 0.0))
    tiny = torch.finfo(kernel.dtype).tiny
    rows, columns = kernel.new_ones(len(kernel)), kernel.new_ones(kernel.shape[1])
    for _ in range(rounds):
        columns = 1 / (kernel.shape[1] * (kernel.T @ rows).clamp(min=tiny))
        rows = 1 / (len(kernel) * (kernel @ columns).clamp(min=tiny))
    return rows[:, None] * kernel * columns
