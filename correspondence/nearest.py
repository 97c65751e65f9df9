"""The most similar place by cosine, exact, without the matrix of all pairs (DIFT, arXiv 2306.03881, section 3.2).

Feature vectors are brought to length 1, so that their products are cosines; a zero vector stays zero and has cosine 0
with everything. Products are taken for a few asking places at a time: memory grows with the number of places, not with
the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .correspondence import NO_MATCH

CHUNK = 512
"""Asking places whose similarities exist at a time: large enough for matrix products to run at full speed."""


def best_places(
    asking: Tensor,
    offering: Tensor,
    *,
    allowed: Tensor | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    """(index, cosine) of the offered place that is most similar to each asking place; the first of equals.

    asking: [n, C], offering: [m, C], any floating dtype; computed in fp32.
    allowed: [m] bool, the places that may be matched; all if None.
    labels: ([n], [m]) integers; a place may match only places with its own label.
    chunk: asking places at a time, a matter of speed and memory only.

    Returns index [n] int64 (NO_MATCH where no place may be matched) and cosine [n] fp32 in -1..1 (0 where none).
    """
    index = torch.full((len(asking),), NO_MATCH, dtype=torch.int64, device=asking.device)
    cosine = torch.zeros(len(asking), device=asking.device)
    for rows, columns in groups(len(asking), len(offering), allowed, labels, asking.device):
        for part, similarity in similarities(asking, offering, rows, columns, chunk):
            value, place = similarity.max(dim=1)  # documented to be the first of equals
            index[part] = columns[place]
            cosine[part] = value.clamp(-1, 1)
    return index, cosine


def mutual_places(
    asking: Tensor,
    offering: Tensor,
    *,
    allowed: Tensor | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    """`best_places`, kept only where each place is the best of the other, the first of equals on both sides."""
    index = torch.full((len(asking),), NO_MATCH, dtype=torch.int64, device=asking.device)
    cosine = torch.zeros(len(asking), device=asking.device)
    for rows, columns in groups(len(asking), len(offering), allowed, labels, asking.device):
        highest = torch.full((len(columns),), -torch.inf, device=asking.device)
        owner = torch.zeros_like(columns)
        place = torch.zeros_like(rows)
        for first, (part, similarity) in enumerate(similarities(asking, offering, rows, columns, chunk)):
            cosine[part], place[first * chunk : first * chunk + len(part)] = similarity.max(dim=1)
            value, row = similarity.max(dim=0)
            owner = torch.where(value > highest, part[row], owner)
            highest = torch.maximum(highest, value)
        index[rows] = torch.where(owner[place] == rows, columns[place], NO_MATCH)
    return index, torch.where(index == NO_MATCH, 0.0, cosine.clamp(-1, 1))


def groups(
    n: int, m: int, allowed: Tensor | None, labels: tuple[Tensor, Tensor] | None, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Asking and offered places (int64, ascending) that may match each other, all pairs of them; none is empty."""
    offered = torch.ones(m, dtype=torch.bool, device=device) if allowed is None else allowed
    if labels is None:
        labels = torch.zeros(n, dtype=torch.int64, device=device), torch.zeros(m, dtype=torch.int64, device=device)
    for label in labels[0].unique().tolist():
        rows = torch.nonzero(labels[0] == label)[:, 0]
        columns = torch.nonzero((labels[1] == label) & offered)[:, 0]
        if len(columns):
            yield rows, columns


def similarities(
    asking: Tensor, offering: Tensor, rows: Tensor, columns: Tensor, chunk: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """For `chunk` of the rows at a time: which they are, and their cosines [chunk, columns] with all the columns."""
    directions = normalize(offering[columns].float(), dim=1).T
    for part in rows.split(chunk):
        yield part, normalize(asking[part].float(), dim=1) @ directions
