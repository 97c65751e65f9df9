"""The object alone, for a network that looks at whole squares."""

from __future__ import annotations

import torch
from torch import Tensor

GRAY = (0.48145466, 0.4578275, 0.40821073)
"""CLIP's mean color, which says nothing to it."""


def masked_crop(image: Tensor, mask: Tensor) -> Tensor:
    """[H, W, 3] and [H, W] in 0..1 -> [S, S, 3]: the square around what is above one half in the mask, gray elsewhere.

    Raises ValueError for a mask that is nowhere above one half.
    """
    inside = mask > 0.5
    if not inside.any():
        raise ValueError("The mask is empty, so there is no object to look at; draw it, or leave it open.")
    rows, columns = inside.any(1).nonzero().flatten(), inside.any(0).nonzero().flatten()
    top, left = int(rows[0]), int(columns[0])
    height, width = int(rows[-1]) + 1 - top, int(columns[-1]) + 1 - left
    side = max(height, width)
    gray = torch.tensor(GRAY).to(image)
    square = gray.repeat(side, side, 1)
    y, x = (side - height) // 2, (side - width) // 2
    box = slice(top, top + height), slice(left, left + width)
    square[y : y + height, x : x + width] = torch.where(inside[box][..., None], image[box], gray)
    return square
