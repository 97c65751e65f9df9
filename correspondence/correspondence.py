"""The answer to "which place matches which": what matchers make and everything else takes."""

from __future__ import annotations

from dataclasses import dataclass

from torch import Tensor

NO_MATCH = -1
ASPECT_TOLERANCE = 0.05
"""Encoders crop pictures to a multiple of their stride, which changes the shape a little."""


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

    def check_pictures(self, structure: Tensor, appearance: Tensor) -> None:
        """Raise ValueError unless these are the pictures that were matched, as far as number and shape can tell.

        structure: [B or 1, H, W, 3], appearance: [B or 1, H', W', 3], at any size.
        """
        for name, pictures, matched in (
            ("structure", structure, self.structure_picture),
            ("appearance", appearance, self.appearance_picture),
        ):
            if len(pictures) not in (1, self.pictures):
                raise ValueError(
                    f"There are {len(pictures)} {name} pictures, but the matches are of {self.pictures}. Connect the "
                    "pictures that were matched."
                )
            height, width = pictures.shape[1:3]
            if abs(height * matched[1] / (width * matched[0]) - 1) > ASPECT_TOLERANCE:
                raise ValueError(
                    f"The {name} picture is {width}x{height}, but the matches are of one of {matched[1]}x{matched[0]}. "
                    f"Connect the picture that the {name}'s features were made from."
                )
