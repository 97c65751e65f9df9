"""Matches with an appearance and with its mirror image, and which of the two is taken."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.mirroring import Matcher, both_sides, either, mean_cosine, mirrored_back
from ..transfers.pairs import RenderedPairs
from .field_rows import MASKED, SIDE
from .keypoints import Keypoints, fractions_found

if TYPE_CHECKING:
    from ..transfers.fused_sides import Sides  # imports ComfyUI's modules


@dataclass(frozen=True, eq=False)
class BothWays:
    """Matches with the appearances as they are, and by way of their mirror images."""

    plain: Correspondence
    flipped: Correspondence

    def by_cosine(self) -> Tensor:
        """bool [B]: the mirror image resembles the structure more."""
        return mean_cosine(self.flipped) > mean_cosine(self.plain)

    def by_confidence(self) -> Tensor:
        """bool [B]: more of the nearest neighbors agree with the field where the appearance is mirrored."""
        return _mean_confidence(self.flipped) > _mean_confidence(self.plain)

    def taken(self, mirrored: Tensor) -> Correspondence:
        """By way of the mirror image where `mirrored` [B] holds."""
        return either(mirrored, self.flipped, self.plain)


def both_ways(features: Sides, matcher: Matcher, truth: RenderedPairs, *, masks: bool = True) -> BothWays:
    """masks: inside the true masks, or in the whole images."""
    inside = (truth.structure.mask, truth.appearance.mask) if masks else (None, None)
    plain, other = both_sides(*features, *inside, matcher)
    return BothWays(plain, mirrored_back(other))


def should_mirror(truth: RenderedPairs) -> Tensor:
    """bool [B]: the two animals face opposite ways."""
    return torch.tensor([not pair.same_side for pair in truth.pairs])


def decided_right(mirrored: Tensor, truth: RenderedPairs) -> list[float]:
    """1 where it is mirrored as it should be, 0 elsewhere."""
    return (mirrored == should_mirror(truth)).float().tolist()


def row_of(ways: BothWays, mirrored: Tensor, truth: RenderedPairs, keypoints: Keypoints) -> dict[str, list[float]]:
    """PCK by these decisions on the side, and whether they are right, pair by pair: a row of the field's table."""
    found = fractions_found(ways.taken(mirrored), keypoints).tolist()
    return {MASKED: found, SIDE: decided_right(mirrored, truth)}


def _mean_confidence(matches: Correspondence) -> Tensor:
    matched = matches.best >= 0
    return (matches.confidence * matched).sum((1, 2)) / matched.sum((1, 2)).clamp(min=1)
