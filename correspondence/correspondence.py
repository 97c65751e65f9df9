"""The answer to "which place matches which": what matchers make and everything else takes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

NO_MATCH = -1


@dataclass(frozen=True, eq=False)
class Correspondence:
    """For every place of B structure pictures its matches in the appearance.

    index: [B, K, h, w] int64, row-major places of the appearance's grid, best first; NO_MATCH where there is none (no
        place may match, or fewer than K). K is 1 but for soft matches.
    weight: [B, K, h, w] in 0..1, the share of each of the K matches; sums to 1 over K, or is 0 where nothing matches.
    cosine: [B, h, w] in -1..1, the similarity to the best match; 0 where nothing matches.
    confidence: [B, h, w] in 0..1, how far to trust the match; 0 where nothing matches.
    appearance_grid: (h', w') that the indices count. structure_picture, appearance_picture: (H, W) in pixels.
    """

    index: Tensor
    weight: Tensor
    cosine: Tensor
    confidence: Tensor
    appearance_grid: tuple[int, int]
    structure_picture: tuple[int, int]
    appearance_picture: tuple[int, int]

    @property
    def pictures(self) -> int:
        """B"""
        return self.index.shape[0]

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the structure."""
        return self.index.shape[-2], self.index.shape[-1]

    @property
    def best(self) -> Tensor:
        """[B, h, w] int64: the best match of every place."""
        return self.index[:, 0]
