"""Part labels as an image for people."""

from __future__ import annotations

import torch
from torch import Tensor

from .scene import PARTS

_COLORS = {
    "background": (0.93, 0.93, 0.93),
    "body": (0.27, 0.51, 0.71),
    "neck": (0.40, 0.76, 0.65),
    "head": (0.99, 0.55, 0.38),
    "ears": (0.91, 0.54, 0.76),
    "legs": (0.65, 0.85, 0.33),
    "tail": (1.00, 0.85, 0.18),
}


def part_image(parts: Tensor) -> Tensor:
    """Labels [B, H, W], indexes into PARTS -> [B, H, W, 3] float32 in 0..1, a color each."""
    return torch.tensor([_COLORS[part] for part in PARTS])[parts.cpu()]
