"""Masks brought to the images that they are of."""

from __future__ import annotations

import torch.nn.functional as F  # noqa: N812
from torch import Tensor


def mask_per_image(mask: Tensor, count: int, size: tuple[int, int]) -> Tensor:
    """[B or 1, h, w] in 0..1 -> [count, H, W], resized bilinearly. Raises ValueError for another number of masks."""
    if len(mask) not in (1, count):
        raise ValueError(f"There are {len(mask)} masks for {count} images; connect one, or one for each.")
    resized = F.interpolate(mask[:, None].float(), size=size, mode="bilinear", antialias=True)[:, 0]
    return resized.expand(count, -1, -1)
