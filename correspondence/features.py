"""What a network knows of every position of an image, whatever network it was."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch
from torch import Tensor


@dataclass(frozen=True, eq=False)
class Features:
    """Features of B images of one size.

    values: [B, C, h, w], floating point, as the network gave them (not normalized). Position (y, x) of the grid covers
        the pixels y*H/h..(y+1)*H/h and x*W/w..(x+1)*W/w of the image.
    image: (H, W) of the images in pixels.
    source: what made them, as words to compare and to show, for example {"kind": "DIFT", "model": "3f0c...",
        "timestep": "261", "up_block": "1"}. Only features with the same source can be matched.

    Raises ValueError for another shape or for numbers that are not finite.
    """

    values: Tensor
    image: tuple[int, int]
    source: Mapping[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if self.values.ndim != 4 or not self.values.is_floating_point() or 0 in self.values.shape:
            raise ValueError(
                f"Features have the shape [images, channels, height, width], but these have "
                f"{list(self.values.shape)} ({self.values.dtype}). Make them again from the image."
            )
        if not bool(torch.isfinite(self.values).all()):
            raise ValueError(
                "The features hold NaN or infinite numbers. Make them again with the model in a higher precision."
            )

    @property
    def images(self) -> int:
        """B"""
        return self.values.shape[0]

    @property
    def grid(self) -> tuple[int, int]:
        """(h, w)"""
        return self.values.shape[-2], self.values.shape[-1]
