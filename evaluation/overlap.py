"""Is the object where it was? The overlap of two masks, as a number and as an image."""

from __future__ import annotations

import torch
from torch import Tensor

BOTH, ONLY_FOUND, ONLY_TRUE = (1.0, 1.0, 1.0), (0.90, 0.40, 0.10), (0.15, 0.45, 0.85)
"""White, orange, blue."""


def intersection_over_union(found: Tensor, true: Tensor) -> Tensor:
    """IoU of two bool masks [..., H, W], in 0..1; two empty masks agree (1)."""
    union = (found | true).sum((-2, -1))
    shared = (found & true).sum((-2, -1))
    return (shared / union.clamp(min=1)).where(union > 0, 1.0)


def overlap_image(found: Tensor, true: Tensor) -> Tensor:
    """IMAGE [B, H, W, 3] of two bool masks [B, H, W]: white in both, orange where only found, blue where only true."""
    parts = ((found & true, BOTH), (found & ~true, ONLY_FOUND), (true & ~found, ONLY_TRUE))
    return torch.stack([part[..., None] * torch.tensor(color) for part, color in parts]).sum(0)
