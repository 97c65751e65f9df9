"""k-means over many-dimensional rows: k-means++ starts (Arthur & Vassilvitskii 2007), then Lloyd's iterations.

All restarts advance together, so that the large matrix is read once per iteration, not once per restart: on the rows
of a 4096 x 4096 attention map several times as fast as as many runs of scipy's kmeans2, whose k-means++ also takes
its seed under a different name in different versions.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import one_hot

ITERATIONS = 100


def kmeans(rows: Tensor, clusters: int, *, restarts: int = 10, seed: int = 0) -> Tensor:
    """Labels [N] in 0..clusters-1 of the rows [N, D]: the restart with the lowest sum of squared distances.

    Deterministic for a seed. Fewer labels are used where there are fewer distinct rows than clusters.
    """
    rows = rows.float()
    if not 1 <= clusters <= len(rows):
        raise ValueError(f"{len(rows)} rows cannot be sorted into {clusters} clusters; choose 1 to {len(rows)}.")
    squared_norms = rows.square().sum(dim=1)
    generator = torch.Generator("cpu").manual_seed(seed)
    centers = torch.stack([_spread_centers(rows, squared_norms, clusters, generator) for _ in range(restarts)])
    nearest, labels = _squared_distances(rows, squared_norms, centers).min(dim=-1)
    for _ in range(ITERATIONS):
        centers = _means(rows, labels, centers)
        before = labels
        nearest, labels = _squared_distances(rows, squared_norms, centers).min(dim=-1)
        if torch.equal(labels, before):
            break
    return labels[nearest.sum(dim=-1).argmin()]


def _spread_centers(rows: Tensor, squared_norms: Tensor, clusters: int, generator: torch.Generator) -> Tensor:
    """k-means++: each next center is a row, drawn in proportion to its squared distance to the nearest center."""
    chosen = torch.randint(len(rows), (1,), generator=generator).to(rows.device)
    nearest = torch.full_like(squared_norms, torch.inf)
    for _ in range(clusters - 1):
        distance = _squared_distances(rows, squared_norms, rows[chosen[-1:]][None])[0, :, 0]
        nearest = torch.minimum(nearest, distance).clamp_min(torch.finfo(rows.dtype).tiny)
        total = nearest.double().cumsum(dim=0)
        draw = torch.rand((), dtype=torch.float64, generator=generator).to(rows.device) * total[-1]
        chosen = torch.cat([chosen, torch.searchsorted(total, draw[None]).clamp_max(len(rows) - 1)])
    return rows[chosen]


def _squared_distances(rows: Tensor, squared_norms: Tensor, centers: Tensor) -> Tensor:
    """[R, N, k] for rows [N, D] and centers [R, k, D], as |row|^2 - 2 row.center + |center|^2."""
    products = (rows @ centers.flatten(0, 1).T).view(len(rows), *centers.shape[:2])
    distances = squared_norms[:, None, None] - 2 * products + centers.square().sum(dim=-1)
    return distances.clamp_min(0).movedim(0, 1)


def _means(rows: Tensor, labels: Tensor, centers: Tensor) -> Tensor:
    """The centers [R, k, D] of the labeled rows; an empty cluster keeps the one that it has."""
    members = one_hot(labels, centers.shape[1]).to(rows)
    counts = members.sum(dim=1)
    sums = (members.permute(0, 2, 1).flatten(0, 1) @ rows).view(centers.shape)
    return torch.where(counts[..., None] > 0, sums / counts.clamp_min(1)[..., None], centers)
