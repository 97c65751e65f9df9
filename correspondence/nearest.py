"""The most similar position by cosine, exact, without the matrix of all pairs (DIFT, arXiv 2306.03881, section 3.2).

Feature vectors are brought to length 1, so that their products are cosines; a zero vector stays zero and has cosine 0
with everything. Products are taken for a few asking positions at a time: memory grows with the number of positions, not
with the number of pairs.
"""

from __future__ import annotations

from collections.abc import Iterator

import torch
from torch import Tensor
from torch.nn.functional import normalize

from .correspondence import NO_MATCH

CHUNK = 512
"""Asking positions whose similarities exist at a time: large enough for matrix products to run at full speed."""


def best_positions(
    queries: Tensor,
    keys: Tensor,
    *,
    key_mask: Tensor | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    """(index, cosine) of the offered position that is most similar to each asking position; the first of equals.

    queries: [n, C], keys: [m, C], any floating dtype; computed in fp32.
    key_mask: [m] bool, the positions that may be matched; all if None.
    labels: ([n], [m]) integers; a position may match only positions with its own label.
    chunk: asking positions at a time, a matter of speed and memory only.

    Returns index [n] int64 (NO_MATCH where no position may be matched) and cosine [n] fp32 in -1..1 (0 where none).
    """
    index = torch.full((len(queries),), NO_MATCH, dtype=torch.int64, device=queries.device)
    cosine = torch.zeros(len(queries), device=queries.device)
    for rows, columns in groups(len(queries), len(keys), key_mask, labels, queries.device):
        for part, similarity in similarities(queries, keys, rows, columns, chunk):
            value, position = similarity.max(dim=1)  # documented to be the first of equals
            index[part] = columns[position]
            cosine[part] = value.clamp(-1, 1)
    return index, cosine


def mutual_positions(
    queries: Tensor,
    keys: Tensor,
    *,
    key_mask: Tensor | None = None,
    labels: tuple[Tensor, Tensor] | None = None,
    chunk: int = CHUNK,
) -> tuple[Tensor, Tensor]:
    """`best_positions`, kept only where each position is the best of the other, the first of equals on both sides."""
    index = torch.full((len(queries),), NO_MATCH, dtype=torch.int64, device=queries.device)
    cosine = torch.zeros(len(queries), device=queries.device)
    for rows, columns in groups(len(queries), len(keys), key_mask, labels, queries.device):
        highest = torch.full((len(columns),), -torch.inf, device=queries.device)
        owner = torch.zeros_like(columns)
        position = torch.zeros_like(rows)
        for first, (part, similarity) in enumerate(similarities(queries, keys, rows, columns, chunk)):
            cosine[part], position[first * chunk : first * chunk + len(part)] = similarity.max(dim=1)
            value, row = similarity.max(dim=0)
            owner = torch.where(value > highest, part[row], owner)
            highest = torch.maximum(highest, value)
        index[rows] = torch.where(owner[position] == rows, columns[position], NO_MATCH)
    return index, torch.where(index == NO_MATCH, 0.0, cosine.clamp(-1, 1))


def groups(
    n: int, m: int, key_mask: Tensor | None, labels: tuple[Tensor, Tensor] | None, device: torch.device
) -> Iterator[tuple[Tensor, Tensor]]:
    """Asking and offered positions (int64, ascending) that may match each other, all pairs of them; none is empty."""
    possible = torch.ones(m, dtype=torch.bool, device=device) if key_mask is None else key_mask
    if labels is None:
        labels = torch.zeros(n, dtype=torch.int64, device=device), torch.zeros(m, dtype=torch.int64, device=device)
    for label in labels[0].unique().tolist():
        rows = torch.nonzero(labels[0] == label)[:, 0]
        columns = torch.nonzero((labels[1] == label) & possible)[:, 0]
        if len(columns):
            yield rows, columns


def similarities(
    queries: Tensor, keys: Tensor, rows: Tensor, columns: Tensor, chunk: int
) -> Iterator[tuple[Tensor, Tensor]]:
    """For `chunk` of the rows at a time: which they are, and their cosines [chunk, columns] with all the columns."""
    directions = normalize(keys[columns].float(), dim=1).T
    for part in rows.split(chunk):
        yield part, normalize(queries[part].float(), dim=1) @ directions
