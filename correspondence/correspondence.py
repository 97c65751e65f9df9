"""The answer to "which position matches which": what matchers make and everything else takes."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

NO_MATCH = -1
ASPECT_TOLERANCE = 0.05
"""Encoders crop images to a multiple of their stride, which changes the shape a little."""


@dataclass(frozen=True, eq=False)
class Correspondence:
    """For every position of B structure images its matches in the appearance.

    index: [B, K, h, w] int64, row-major positions of the appearance's grid, best first; NO_MATCH where there is none
        (no position may match, or fewer than K). K is 1 but for soft matches.
    weight: [B, K, h, w] in 0..1, the share of each of the K matches; sums to 1 over K, or is 0 where nothing matches.
    cosine: [B, h, w] in -1..1, the similarity to the best match; 0 where nothing matches.
    confidence: [B, h, w] in 0..1, how far to trust the match; 0 where nothing matches.
    subcell: [B, h, w, (y, x)], where the best match lies, as shares of the appearance's height and width, finer than a
        position; None where the matcher knows whole positions only. `index` names the position that it lies in.
    appearance_grid: (h', w') that the indices count. structure_image, appearance_image: (H, W) in pixels.
    """

    index: Tensor
    weight: Tensor
    cosine: Tensor
    confidence: Tensor
    appearance_grid: tuple[int, int]
    structure_image: tuple[int, int]
    appearance_image: tuple[int, int]
    subcell: Tensor | None = None

    @property
    def images(self) -> int:
        """B"""
        return self.index.shape[0]

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w) of the structure."""
        return self.index.shape[-2], self.index.shape[-1]

    @property
    def best(self) -> Tensor:
        """[B, h, w] int64: the best match of every position."""
        return self.index[:, 0]

    def points(self) -> Tensor:
        """[B, h, w, (y, x)]: where the best matches lie, as shares of the appearance's height and width; where nothing
        matches, anything.
        """
        if self.subcell is not None:
            return self.subcell
        height, width = self.appearance_grid
        position = self.best.clamp(min=0)
        centers = torch.stack([position // width, position % width], dim=-1) + 0.5
        return centers / centers.new_tensor([height, width])

    def moved(self, **changes: Any) -> Correspondence:
        """The same with all tensors changed by `Tensor.to(**changes)`, for example to another device."""
        names = ("index", "weight", "cosine", "confidence")
        subcell = None if self.subcell is None else self.subcell.to(**changes)
        return replace(self, **{name: getattr(self, name).to(**changes) for name in names}, subcell=subcell)

    def check_images(self, structure: Tensor, appearance: Tensor) -> None:
        """Raise ValueError unless these are the images that were matched, as far as number and shape can tell.

        structure: [B or 1, H, W, 3], appearance: [B or 1, H', W', 3], at any size.
        """
        for name, images, matched in (
            ("structure", structure, self.structure_image),
            ("appearance", appearance, self.appearance_image),
        ):
            if len(images) not in (1, self.images):
                raise ValueError(
                    f"There are {len(images)} {name} images, but the matches are of {self.images}. Connect the "
                    "images that were matched."
                )
            height, width = images.shape[1:3]
            if abs(height * matched[1] / (width * matched[0]) - 1) > ASPECT_TOLERANCE:
                raise ValueError(
                    f"The {name} image is {width}x{height}, but the matches are of one of {matched[1]}x{matched[0]}. "
                    f"Connect the image that the {name}'s features were made from."
                )
