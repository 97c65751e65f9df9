"""The crops that a generator of Splice learns from, as the reference code draws them (datasets and transforms there).

Images are augmented as 8-bit ones, with Pillow. Every step has random numbers of its own, drawn from (seed, step), so
that a training that is resumed sees what an uninterrupted one would have seen.
"""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageEnhance
from scipy.ndimage import gaussian_filter
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION, HUE = 0.4, 0.4, 0.2, 0.1
JITTERED, BLURRED = 0.5, 0.2
BLUR_SIGMA = (0.1, 2.0)
SMALLEST_CROP = 0.95


class Crops:
    """Draws a crop of the structure and one of the appearance for every step."""

    def __init__(self, structure: Tensor, appearance: Tensor, seed: int) -> None:
        """structure, appearance: [1, 3, H, W] in 0..1; the crops have their dtype and device."""
        self.images = to_pillow(structure), to_pillow(appearance)
        self.seed = seed
        self.like = structure

    def __call__(self, step: int) -> tuple[Tensor, Tensor]:
        """Two squares [1, 3, N, N] in 0..1: the structure flipped, colored and blurred, the appearance flipped."""
        random = np.random.default_rng((self.seed, step))
        structure, appearance = self.images
        structure = random_crop(blurred(jittered(flipped(structure, random), random), random), random)
        appearance = random_crop(flipped(appearance, random), random)
        return self._tensor(structure), self._tensor(appearance)

    def _tensor(self, image: Image.Image) -> Tensor:
        values = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None]
        return values.to(self.like) / 255


def to_pillow(image: Tensor) -> Image.Image:
    """[1, 3, H, W] in 0..1 as an 8-bit image."""
    pixels = (image[0].detach().clamp(0, 1) * 255).round().to(torch.uint8)
    return Image.fromarray(pixels.permute(1, 2, 0).cpu().numpy())


def flipped(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Mirrored, every second time."""
    return image.transpose(Image.Transpose.FLIP_LEFT_RIGHT) if random.random() < 0.5 else image


def jittered(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Other brightness, contrast, saturation and hue, in any order, every second time."""
    if random.random() >= JITTERED:
        return image
    for change in random.permutation(4):
        if change == 3:
            image = _shifted_hue(image, random.uniform(-HUE, HUE))
        else:
            enhancer = (ImageEnhance.Brightness, ImageEnhance.Contrast, ImageEnhance.Color)[change]
            width = (BRIGHTNESS, CONTRAST, SATURATION)[change]
            image = enhancer(image).enhance(random.uniform(1 - width, 1 + width))
    return image


def _shifted_hue(image: Image.Image, turn: float) -> Image.Image:
    """turn: share of the color circle."""
    hue, saturation, value = image.convert("HSV").split()
    flipped = np.asarray(hue) + np.uint8(round(turn * 255) % 256)  # wraps around, as the circle does
    return Image.merge("HSV", (Image.fromarray(flipped), saturation, value)).convert("RGB")


def blurred(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """Blurred by a 3x3 Gaussian, every fifth time."""
    if random.random() >= BLURRED:
        return image
    sigma = random.uniform(*BLUR_SIGMA)
    values = gaussian_filter(np.asarray(image, np.float32), (sigma, sigma, 0), radius=(1, 1, 0), mode="mirror")
    return Image.fromarray(values.round().astype(np.uint8))


def random_crop(image: Image.Image, random: np.random.Generator) -> Image.Image:
    """A square anywhere, of 95 to 100 % of the height, or of the width where that is less; not resized."""
    width, height = image.size
    side = min(round(random.uniform(SMALLEST_CROP * height, height)), width)
    left, top = (int(random.integers(space - side, endpoint=True)) for space in (width, height))
    return image.crop((left, top, left + side, top + side))
