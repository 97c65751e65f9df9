"""Ways to spoil a picture, each by a growing amount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import adjust_hue, gaussian_blur


@dataclass(frozen=True)
class Distortion:
    """apply: (picture [1, 3, H, W] in 0..1, amount) -> such a picture. amounts: growing, in units of `unit`."""

    apply: Callable[[Tensor, float], Tensor]
    amounts: tuple[float, ...]
    unit: str

    def __call__(self, picture: Tensor) -> Tensor:
        """[amounts, 3, H, W]"""
        return torch.cat([self.apply(picture, amount) for amount in self.amounts])


def blurred(picture: Tensor, deviation: float) -> Tensor:
    """By a Gaussian of so many pixels, out to three times that."""
    return gaussian_blur(picture, [2 * round(3 * deviation) + 1] * 2, [deviation] * 2)


def noisy(picture: Tensor, deviation: float) -> Tensor:
    """With Gaussian noise, the same at every amount but for its size."""
    noise = torch.randn(picture.shape, generator=torch.Generator().manual_seed(0))
    return (picture + deviation * noise).clamp(0, 1)


def shifted(picture: Tensor, pixels: float) -> Tensor:
    """To the right by whole pixels; what comes in from the left is the border's mirror image."""
    whole = round(pixels)
    return F.pad(picture, (whole, 0, 0, 0), mode="reflect")[..., : picture.shape[-1]]


def recoloured(picture: Tensor, turn: float) -> Tensor:
    """Every hue moved on by a share of the colour wheel, up to one half."""
    return adjust_hue(picture, turn)


DISTORTIONS = {
    "blur": Distortion(blurred, (1, 2, 4, 8), "px"),
    "noise": Distortion(noisy, (0.02, 0.05, 0.1, 0.2), "of the range"),
    "shift": Distortion(shifted, (1, 3, 9, 27), "px"),
    "hue": Distortion(recoloured, (0.03, 0.08, 0.2, 0.45), "of the wheel"),
}
