"""Which way round does an appearance match better: as it is, or as its mirror image?

Features of diffusion models and ViTs also know where in the image a position is, so two animals that face opposite ways
match badly. Choosing between the poses of an image by how alike its matches are is the pose alignment of Telling Left
from Right (Zhang et al., CVPR 2024, arXiv 2311.17034), with the mirror image as the only other pose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import torch
from torch import Tensor

from .correspondence import Correspondence
from .features import Features
from .match import match


@dataclass(frozen=True, eq=False)
class FlipDecision:
    """How alike the matches are, mean cosines in -1..1 for each of B structures: with the appearance, and mirrored."""

    as_it_is: Tensor
    mirrored: Tensor

    @property
    def flipped(self) -> Tensor:
        """[B] bool: the mirror image matches better."""
        return self.mirrored > self.as_it_is


Matcher = Callable[..., Correspondence]
"""Takes what `match` takes."""


def facing(
    structure: Features,
    appearance: Features,
    mirrored: Features,
    *,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
    matcher: Matcher = match,
) -> FlipDecision:
    """Match with both, and compare.

    appearance, mirrored: features of the same images, as they are and mirrored. appearance_mask: [B or 1, H, W] of
        the image as it is.

    Raises ValueError as `match` does.
    """
    plain, flipped = both_sides(structure, appearance, mirrored, structure_mask, appearance_mask, matcher)
    return FlipDecision(mean_cosine(plain), mean_cosine(flipped))


def matched_side(
    structure: Features,
    appearance: Features,
    mirrored: Features,
    *,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
    matcher: Matcher = match,
) -> tuple[Correspondence, Tensor]:
    """The matches with the appearance as it is, found on that side of it which is more alike, and [B] bool whether that
    is its mirror image. Inputs and errors as of `facing`.
    """
    plain, flipped = both_sides(structure, appearance, mirrored, structure_mask, appearance_mask, matcher)
    mirror = mean_cosine(flipped) > mean_cosine(plain)
    return either(mirror, mirrored_back(flipped), plain), mirror


def both_sides(
    structure: Features,
    appearance: Features,
    mirrored: Features,
    structure_mask: Tensor | None,
    appearance_mask: Tensor | None,
    matcher: Matcher,
) -> tuple[Correspondence, Correspondence]:
    """The matches with an appearance, and with its mirror image. Inputs and errors as of `facing`."""
    flipped_mask = None if appearance_mask is None else appearance_mask.flip(-1)
    plain = matcher(structure, appearance, structure_mask=structure_mask, appearance_mask=appearance_mask)
    flipped = matcher(structure, mirrored, structure_mask=structure_mask, appearance_mask=flipped_mask)
    return plain, flipped


def mirrored_back(correspondence: Correspondence) -> Correspondence:
    """Matches with the mirror image of an appearance as matches with the appearance itself."""
    width = correspondence.appearance_grid[1]
    row, column = correspondence.index // width, correspondence.index % width
    index = torch.where(correspondence.index < 0, correspondence.index, row * width + width - 1 - column)
    subcell = correspondence.subcell
    if subcell is not None:
        subcell = torch.stack([subcell[..., 0], 1 - subcell[..., 1]], dim=-1)
    return replace(correspondence, index=index, subcell=subcell)


def either(which: Tensor, one: Correspondence, other: Correspondence) -> Correspondence:
    """The matches of `one` for the images [B] for which `which` holds, else those of `other`, of the same grids."""

    def chosen(ours: Tensor, theirs: Tensor) -> Tensor:
        return torch.where(which.view(-1, *(1,) * (ours.ndim - 1)), ours, theirs)

    fine = one.subcell is not None or other.subcell is not None
    return replace(
        one,
        index=chosen(one.index, other.index),
        weight=chosen(one.weight, other.weight),
        cosine=chosen(one.cosine, other.cosine),
        confidence=chosen(one.confidence, other.confidence),
        subcell=chosen(one.points(), other.points()) if fine else None,
    )


def mean_cosine(correspondence: Correspondence) -> Tensor:
    """[B]: the mean cosine of the matches; 0 where nothing matches."""
    matched = correspondence.best >= 0
    return (correspondence.cosine * matched).sum((1, 2)) / matched.sum((1, 2)).clamp(min=1)


def turn(images: Tensor, flipped: Tensor) -> Tensor:
    """Those of `flipped` [B] mirrored. images: [B or 1, ...]; dimension 2 of IMAGE [B, H, W, C], MASK [B, H, W]."""
    images = images.expand(len(flipped), *images.shape[1:])
    return torch.where(flipped.view(-1, *(1,) * (images.ndim - 1)), images.flip(2), images)
