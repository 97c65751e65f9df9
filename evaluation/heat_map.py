"""Numbers at every position as colors: from black for nothing over red and yellow to white."""

from __future__ import annotations

import torch
from torch import Tensor


def heat_map(values: Tensor) -> Tensor:
    """[..., H, W] -> IMAGE [..., H, W, 3]; 1 and more are white, so that two maps of one measure can be compared."""
    return torch.stack([values * 3, values * 3 - 1, values * 3 - 2], dim=-1).clamp(0, 1)
