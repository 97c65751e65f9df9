"""From noise to style (StyleGAN): z -> w, through eight layers that learn a hundred times slower than the rest.

The reference mixes two styles in half of its training images and keeps a running mean of w. Here no styles are mixed,
since what is edited is decided by the image, and the mean is taken when it is asked for.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .layers import Linear, activated

LAYERS, RATE = 8, 0.01
DRAWN = 1024
"""Of which the mean style is the mean."""


class Mapping(nn.Module):
    """z [B, style] -> w [B, style]."""

    def __init__(self, style: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Linear(style, style, RATE) for _ in range(LAYERS))

    def forward(self, z: Tensor, variation: float = 1.0) -> Tensor:
        """variation: how far the style lies from the mean one, 0 (the mean) to 1 (the reference's truncation, off)."""
        w = self._styles(z)
        if variation == 1.0:
            return w
        return torch.lerp(self.mean(z), w, variation)

    def mean(self, like: Tensor) -> Tensor:
        """The mean style [1, style], the same every time."""
        z = torch.randn(DRAWN, like.shape[1], generator=torch.Generator().manual_seed(0))
        return self._styles(z.to(like)).mean(0, keepdim=True)

    def _styles(self, z: Tensor) -> Tensor:
        values = z * torch.rsqrt(z.square().mean(1, keepdim=True) + 1e-8)
        for layer in self.layers:
            values = activated(layer(values))
        return values
