"""Neighborhood consensus: a match is likelier where its neighbors match alike.

The idea of NC-Net (Rocco et al., NeurIPS 2018, arXiv 1810.10510), with a fixed Gaussian in place of learned filters.
"""

from __future__ import annotations

import torch
from torch import Tensor

RADIUS, WIDTH = 2, 1.5
"""Of the window, in positions of the structure: how far it reaches, and the Gaussian's standard deviation."""


def consensus(
    similarity: Tensor, query_mask: Tensor, key_mask: Tensor, *, radius: int = RADIUS, width: float = WIDTH
) -> Tensor:
    """[n, m]: the weighted mean of similarity(p + d, q + round(d * ratio)) over a window of shifts d, weights
    exp(-|d|^2 / (2 width^2)). Pairs that leave a mask are left out of the mean.

    similarity: [n, m] of the n = h*w positions of one grid with the m = h'*w' of another. query_mask [h, w], key_mask
        [h', w']: bool. ratio: h'/h down and w'/w across, so the grids are best cropped to their objects.

    The Gaussian is taken down and across one after the other: 2 * (2 radius + 1) sums of n*m numbers.
    """
    grids = (*query_mask.shape, *key_mask.shape)
    valid = query_mask.flatten()[:, None] & key_mask.flatten()
    total = _filtered((similarity * valid).view(grids), radius, width)
    weight = _filtered(valid.to(similarity.dtype).view(grids), radius, width)
    return (total / weight.clamp(min=1e-6)).view_as(similarity)


def _filtered(values: Tensor, radius: int, width: float) -> Tensor:
    """[h, w, h', w'] summed along (h, h') and then (w, w') with a Gaussian; nothing outside."""
    for axis in (0, 1):
        size, there = values.shape[axis], values.shape[axis + 2]
        total = torch.zeros_like(values)
        for shift in range(-radius, radius + 1):
            shift_there = round(shift * there / size)
            if abs(shift) >= size or abs(shift_there) >= there:
                continue
            weight = float(torch.exp(torch.tensor(-(shift**2) / (2 * width**2))))
            to, source = _shifted(size, shift)
            to_there, source_there = _shifted(there, shift_there)
            target = total.narrow(axis, *to).narrow(axis + 2, *to_there)
            target.add_(values.narrow(axis, *source).narrow(axis + 2, *source_there), alpha=weight)
        values = total
    return values


def _shifted(size: int, shift: int) -> tuple[tuple[int, int], tuple[int, int]]:
    """(start, length) of the positions whose neighbor at `shift` exists, and of these neighbors."""
    length = size - abs(shift)
    return (max(0, -shift), length), (max(0, shift), length)
