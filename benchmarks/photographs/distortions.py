"""Ways to spoil an image, each by a growing amount."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor
from torchvision.transforms.functional import adjust_hue, gaussian_blur


@dataclass(frozen=True)
class Distortion:
    """apply: (image [1, 3, H, W] in 0..1, amount) -> such an image. amounts: growing, in units of `unit`."""

    apply: Callable[[Tensor, float], Tensor]
    amounts: tuple[float, ...]
    unit: str

    def __call__(self, image: Tensor) -> Tensor:
        """[amounts, 3, H, W]"""
        return torch.cat([self.apply(image, amount) for amount in self.amounts])


def blurred(image: Tensor, deviation: float) -> Tensor:
    """By a Gaussian of so many pixels, out to three times that."""
    return gaussian_blur(image, [2 * round(3 * deviation) + 1] * 2, [deviation] * 2)


def noisy(image: Tensor, deviation: float) -> Tensor:
    """With Gaussian noise, the same at every amount but for its size."""
    noise = torch.randn(image.shape, generator=torch.Generator().manual_seed(0))
    return (image + deviation * noise).clamp(0, 1)


def shifted(image: Tensor, pixels: float) -> Tensor:
    """To the right by whole pixels; what comes in from the left is the border's mirror image."""
    whole = round(pixels)
    return F.pad(image, (whole, 0, 0, 0), mode="reflect")[..., : image.shape[-1]]


def recolored(image: Tensor, turn: float) -> Tensor:
    """Every hue moved on by a share of the color wheel, up to one half."""
    return adjust_hue(image, turn)


DISTORTIONS = {
    "blur": Distortion(blurred, (1, 2, 4, 8), "px"),
    "noise": Distortion(noisy, (0.02, 0.05, 0.1, 0.2), "of the range"),
    "shift": Distortion(shifted, (1, 3, 9, 27), "px"),
    "hue": Distortion(recolored, (0.03, 0.08, 0.2, 0.45), "of the wheel"),
}
