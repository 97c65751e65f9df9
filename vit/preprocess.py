"""From images to what a DINO ViT takes: resized, and normalized by the statistics of ImageNet."""

from __future__ import annotations

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image
from torch import Tensor

SHORT_SIDE, LONG_SIDE = 224, 480
"""Pixels: the side that DINO was trained at, and the longest that Splice's loss looks at."""
MEAN, DEVIATION = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)


def vit_size(height: int, width: int, short: int = SHORT_SIDE, long: int | None = LONG_SIDE) -> tuple[int, int]:
    """The size (h, w) in pixels at which the ViT sees an image: the shorter side becomes `short`; where the other is
    then longer than `long`, it becomes that, and the shorter side shrinks along. long: None for no limit.

    Sides are rounded down, as in Splice's reference code. Raises ValueError where nothing would be left of a side.
    """
    smaller, larger = sorted((height, width))
    larger, smaller = int(short * larger / smaller), short
    if long is not None and larger > long:
        larger, smaller = long, int(long * smaller / larger)
    if smaller == 0:
        raise ValueError(f"An image of {width} x {height} pixels is too narrow for a ViT. Crop it nearer to a square.")
    return (smaller, larger) if height <= width else (larger, smaller)


def vit_input(
    images: Tensor,
    *,
    short: int = SHORT_SIDE,
    long: int | None = LONG_SIDE,
    antialias: bool = False,
    patch: int | None = None,
) -> Tensor:
    """[B, 3, H, W] in 0..1 -> [B, 3, h, w] normalized; gradients flow through.

    short, long: see `vit_size`. antialias: off as in Splice's reference code; it matters for images that are shrunk.
    patch: round the size down to whole patches of so many pixels, so that the patches cover the whole image.
    """
    height, width = vit_size(images.shape[-2], images.shape[-1], short, long)
    if patch is not None:
        height, width = max(height // patch, 1) * patch, max(width // patch, 1) * patch
    resized = F.interpolate(images, (height, width), mode="bilinear", align_corners=False, antialias=antialias)
    return normalize_imagenet(resized)


def pillow_resized(images: Tensor, short: int = SHORT_SIDE) -> Tensor:
    """[B, 3, H, W] in 0..1 -> [B, 3, h, w] in 0..1 with the shorter side `short`, as Pillow resizes image files:
    bilinear with antialiasing, in 8 bits. There is no limit to the longer side, and no gradient.
    """
    height, width = vit_size(images.shape[-2], images.shape[-1], short, long=None)
    pixels = (images.detach().clamp(0, 1) * 255).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).numpy()
    files = [Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR) for image in pixels]
    return torch.from_numpy(np.stack([np.asarray(file) for file in files])).permute(0, 3, 1, 2).to(images) / 255


def normalize_imagenet(images: Tensor) -> Tensor:
    """[B, 3, h, w] in 0..1, by the mean and standard deviation of ImageNet's channels."""
    mean, deviation = (images.new_tensor(values)[:, None, None] for values in (MEAN, DEVIATION))
    return (images - mean) / deviation
