"""Do two images have the same colors, wherever they are? RGB-uv histograms (Afifi et al., HistoGAN, CVPR 2021).

Their section 3.1: each channel against the other two, in logarithms, so that a shade counts by its hue and not by its
light; a bright pixel counts more. Constants as in the reference code; but every pixel of the image is counted here,
where that code shrinks images to 150 pixels first.
"""

from __future__ import annotations

import torch
from torch import Tensor

BINS, REACH = 64, 3.0
FALLOFF = 0.02
"""Distance from a bin at which a pixel counts half for it."""
EPSILON = 1e-6
AT_A_TIME = 2**16  # pixels, each against all bins


def rgb_uv_histogram(image: Tensor, mask: Tensor | None = None) -> Tensor:
    """[3, H, W] in 0..1 -> [3, BINS, BINS], red against (green, blue), and so on; all of it sums to 1.

    mask: [H, W], how far each pixel counts. Raises ValueError where none does.
    """
    colors = image.clamp(0, 1).flatten(1)
    brightness = (colors.square().sum(0) + EPSILON).sqrt()
    counted = brightness if mask is None else brightness * mask.flatten().to(brightness)
    if not counted.any():
        raise ValueError("The mask is empty, so there are no colors to count; draw it, or leave it open.")
    logs = (colors + EPSILON).log()
    others = ((0, 1, 2), (1, 0, 2), (2, 0, 1))
    histogram = torch.stack([_histogram(logs[a] - logs[b], logs[a] - logs[c], counted) for a, b, c in others])
    return histogram / histogram.sum()


def hellinger_distance(first: Tensor, second: Tensor) -> Tensor:
    """Of two histograms, in 0..1; 0 is the same one. HistoGAN's color matching loss."""
    return torch.linalg.vector_norm(first.sqrt() - second.sqrt()) / 2**0.5


def histogram_image(histogram: Tensor) -> Tensor:
    """IMAGE [BINS, BINS, 3]: the histogram of each channel in its color, in square roots, the fullest bin at 1."""
    roots = histogram.sqrt().movedim(0, -1)
    return roots / roots.max()


def _histogram(u: Tensor, v: Tensor, counted: Tensor) -> Tensor:
    """[BINS, BINS] from the two coordinates and the weight of every pixel."""
    bins = torch.linspace(-REACH, REACH, BINS, dtype=u.dtype, device=u.device)
    parts = zip(u.split(AT_A_TIME), v.split(AT_A_TIME), counted.split(AT_A_TIME), strict=True)
    return torch.stack([(_near(a, bins) * w[:, None]).mT @ _near(b, bins) for a, b, w in parts]).sum(0)


def _near(values: Tensor, bins: Tensor) -> Tensor:
    """[N] -> [N, BINS]: 1 on a bin, one half at FALLOFF from it (the inverse quadratic kernel)."""
    return 1 / (1 + ((values[:, None] - bins) / FALLOFF).square())
