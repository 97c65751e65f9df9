"""Which pixel of one rendering shows the same spot of the animal as a pixel of another."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .render import Rendering

_ROWS = 2048


def true_correspondence(
    a: Rendering, b: Rendering, index_a: int = 0, index_b: int = 0, *, tolerance: float = 0.06, mirror: bool = False
) -> Tensor:
    """Match every pixel of image `index_a` of `a` to the pixel of image `index_b` of `b` that shows the same
    surface spot.

    Returns int64 [H, W]: row-major indexes into b's image, or -1 where a shows background or b does not show the
    spot (nothing of the same part and instance lies within `tolerance`, in part lengths). With `mirror` the animal
    counts as symmetrical: a spot of the left flank also matches its mirror image on the right flank, for images
    that face opposite ways.
    """
    positions_a, positions_b = _positions(a, index_a), _positions(b, index_b)
    labels_a, labels_b = _labels(a, index_a), _labels(b, index_b)
    match, distance = _nearest(positions_a, labels_a, positions_b, labels_b)
    if mirror:
        flipped, flipped_labels = _mirrored(positions_a, labels_a)
        match_m, distance_m = _nearest(flipped, flipped_labels, positions_b, labels_b)
        nearer = distance_m < distance
        match, distance = torch.where(nearer, match_m, match), torch.where(nearer, distance_m, distance)
    return torch.where(distance <= tolerance, match, -1).view(a.parts.shape[1:])


def _positions(r: Rendering, index: int) -> Tensor:
    """[H * W, 3]: the part's surface laid on a sphere of diameter 1, with `along` as height and `around` as
    longitude, so that distances behave at the poles and across the seam.
    """
    along, turn = r.surface[index, ..., 1].flatten(), 2 * math.pi * r.surface[index, ..., 2].flatten()
    girth = (along * (1.0 - along)).clamp(min=0.0).sqrt()
    return torch.stack([along, girth * torch.cos(turn), girth * torch.sin(turn)], dim=1)


def _labels(r: Rendering, index: int) -> Tensor:
    """[H * W] int64: one number per part and instance, 0 for the background."""
    return r.parts[index].flatten() * 8 + r.surface[index, ..., 0].flatten().long()


def _mirrored(positions: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """The same spots on the animal's other side: angles reversed, right and left ear or leg exchanged."""
    paired = labels // 8 >= 4
    tail = labels // 8 == 6
    return positions * positions.new_tensor([1.0, 1.0, -1.0]), torch.where(paired & ~tail, labels ^ 1, labels)


def _nearest(positions_a: Tensor, labels_a: Tensor, positions_b: Tensor, labels_b: Tensor) -> tuple[Tensor, Tensor]:
    match = torch.full_like(labels_a, -1)
    distance = torch.full_like(positions_a[:, 0], math.inf)
    for label in torch.unique(labels_a).tolist():
        here, there = torch.nonzero(labels_a == label)[:, 0], torch.nonzero(labels_b == label)[:, 0]
        if label < 8 or not len(there):
            continue
        for rows in here.split(_ROWS):
            gap = torch.cdist(positions_a[rows], positions_b[there], compute_mode="donot_use_mm_for_euclid_dist")
            distance[rows], nearest = gap.min(1)
            match[rows] = there[nearest]
    return match, distance
