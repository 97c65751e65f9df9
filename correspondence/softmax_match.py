"""Soft matches: every position looks at several positions of the appearance, by a softmax over the cosines."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .correspondence import NO_MATCH
from .nearest import CHUNK, groups, similarities


def soft_positions(
    queries: Tensor,
    keys: Tensor,
    *,
    temperature: float,
    candidates: int,
    floor: float,
    key_mask: Tensor | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor, Tensor]:
    """(index, probability, cosine) of the most probable positions under softmax(cosine / temperature).

    The softmax runs over all positions that may be matched and whose cosine is at least `floor`; its normalizer is
    exact, however few candidates are kept. Other parameters as in `best_positions`.

    Returns index [n, candidates] int64, best first, the first of equals first (NO_MATCH where there are fewer);
    probability [n, candidates] in 0..1 (0 there); cosine [n] of the best (0 where there is none).
    """
    shape = (len(queries), candidates)
    index = torch.full(shape, NO_MATCH, dtype=torch.int64, device=queries.device)
    probability = torch.zeros(shape, device=queries.device)
    cosine = torch.zeros(len(queries), device=queries.device)
    for rows, columns in groups(len(queries), len(keys), key_mask, labels, queries.device):
        for part, similarity in similarities(queries, keys, rows, columns, chunk):
            similarity.clamp_(-1, 1)
            similarity.masked_fill_(similarity < floor, -math.inf)
            normalizer = (similarity / temperature).logsumexp(dim=1)
            for rank in range(min(candidates, len(columns))):
                value, position = similarity.max(dim=1)
                similarity.scatter_(1, position[:, None], -math.inf)
                found = value > -math.inf
                index[part, rank] = torch.where(found, columns[position], NO_MATCH)
                probability[part, rank] = torch.where(found, (value / temperature - normalizer).exp(), 0.0)
                if rank == 0:
                    cosine[part] = torch.where(found, value, 0.0)
    return index, probability, cosine
