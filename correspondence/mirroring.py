"""Which way round does an appearance match better: as it is, or as its mirror image?

Features of diffusion models and ViTs also know where in the picture a place is, so two animals that face opposite ways
match badly. Choosing between the poses of a picture by how alike its matches are is the pose alignment of Telling Left
from Right (Zhang et al., CVPR 2024, arXiv 2311.17034), with the mirror image as the only other pose.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from .correspondence import Correspondence
from .features import Features
from .match import match


@dataclass(frozen=True, eq=False)
class Facing:
    """How alike the matches are, mean cosines in -1..1 for each of B structures: with the appearance, and mirrored."""

    as_it_is: Tensor
    mirrored: Tensor

    @property
    def turned(self) -> Tensor:
        """[B] bool: the mirror image matches better."""
        return self.mirrored > self.as_it_is


def facing(
    structure: Features,
    appearance: Features,
    mirrored: Features,
    *,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
    matcher: Callable[..., Correspondence] = match,
) -> Facing:
    """Match with both, and compare.

    appearance, mirrored: features of the same pictures, as they are and mirrored. appearance_mask: [B or 1, H, W] of
        the picture as it is. matcher: takes what `match` takes.

    Raises ValueError as `match` does.
    """
    turned_mask = None if appearance_mask is None else appearance_mask.flip(-1)
    plain = matcher(structure, appearance, structure_mask=structure_mask, appearance_mask=appearance_mask)
    turned = matcher(structure, mirrored, structure_mask=structure_mask, appearance_mask=turned_mask)
    return Facing(likeness(plain), likeness(turned))


def likeness(correspondence: Correspondence) -> Tensor:
    """[B]: the mean cosine of the matches; 0 where nothing matches."""
    matched = correspondence.best >= 0
    return (correspondence.cosine * matched).sum((1, 2)) / matched.sum((1, 2)).clamp(min=1)


def turn(pictures: Tensor, turned: Tensor) -> Tensor:
    """Those of `turned` [B] mirrored. pictures: [B or 1, ...]; dimension 2 of IMAGE [B, H, W, C], MASK [B, H, W]."""
    pictures = pictures.expand(len(turned), *pictures.shape[1:])
    return torch.where(turned.view(-1, *(1,) * (pictures.ndim - 1)), pictures.flip(2), pictures)
