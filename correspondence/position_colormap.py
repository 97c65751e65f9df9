"""A color for every position of an image, so that positions can be recognized by it elsewhere.

Hue runs from left to right and lightness from top to bottom, in OKLab (Ottosson 2020, "A perceptual color space for
image processing"), where equal steps look equal: as far apart as two positions are, as different are their colors.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor

CHROMA = 0.115
"""About the most that a screen shows of every hue in this range of lightness."""
HUES = (0.08, 0.86)
"""Turns around the color circle, from red over yellow, green and blue to pink; never back to red."""
LIGHTNESS = (0.86, 0.5)

_TO_CONES = (
    (1.0, 0.3963377774, 0.2158037573),
    (1.0, -0.1055613458, -0.0638541728),
    (1.0, -0.0894841775, -1.2914855480),
)
_TO_RGB = (
    (4.0767416621, -3.3077115913, 0.2309699292),
    (-1.2684380046, 2.6097574011, -0.3413193965),
    (-0.0041960863, -0.7034186147, 1.7076147010),
)


def position_colors(size: tuple[int, int], box: tuple[float, float, float, float] = (0, 0, 1, 1)) -> Tensor:
    """[H, W, 3] sRGB in 0..1 for an image of `size`.

    box: (left, top, right, bottom) in shares of the image, over which the colors are spread; outside they stay as
        at its border.
    """
    left, top, right, bottom = box
    y = _spread((torch.arange(size[0]) + 0.5) / size[0], top, bottom)[:, None].expand(size)
    x = _spread((torch.arange(size[1]) + 0.5) / size[1], left, right)[None].expand(size)
    lightness = LIGHTNESS[0] + (LIGHTNESS[1] - LIGHTNESS[0]) * y
    hue = 2 * math.pi * (HUES[0] + (HUES[1] - HUES[0]) * x)
    return _srgb(torch.stack([lightness, CHROMA * hue.cos(), CHROMA * hue.sin()], dim=-1))


def _spread(fraction: Tensor, first: float, last: float) -> Tensor:
    return ((fraction - first) / max(last - first, 1e-6)).clamp(0, 1)


def _srgb(oklab: Tensor) -> Tensor:
    """OKLab [..., 3] as sRGB in 0..1; what a screen cannot show is cut off."""
    linear = (oklab @ torch.tensor(_TO_CONES).T).pow(3) @ torch.tensor(_TO_RGB).T
    linear = linear.clamp(0, 1)
    return torch.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear.pow(1 / 2.4) - 0.055)
