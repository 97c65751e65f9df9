"""What a vision transformer sees of a picture, as far as Splice's losses ask: its [CLS] token and its keys.

Tumanyan et al. 2022, section 3.1: [CLS] tells the appearance, the keys' self-similarity the structure. Both come out of
one pass through the network; the released code takes a pass for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .preprocess import vit_input
from .vit import VisionTransformer


@dataclass(frozen=True)
class Sight:
    """What is seen of one picture at one layer. cls: [1, D], before the network's final norm. keys: [1, T, D]."""

    cls: Tensor
    keys: Tensor


@dataclass(frozen=True)
class Eye:
    """A frozen ViT, and how pictures are shown to it."""

    vit: VisionTransformer
    layer: int = -1
    """The block that is read; the last one, as the paper has it, unless a network's last one is spoilt."""
    antialias: bool = False
    """How pictures come to the ViT's size; the released code does it without."""
    checkpointing: bool = False
    """Keep only the input of every block and compute the rest again in the backward pass."""

    def look(self, *pictures: Tensor) -> list[Sight]:
        """pictures: [1, 3, H, W] in 0..1, one, or several squares, which share a pass. Differentiable.

        The ViT computes in its own precision, what is seen comes back in that of the pictures.
        """
        inputs = torch.cat([vit_input(picture, antialias=self.antialias) for picture in pictures])
        seen = self.vit.look(inputs, self.layer, checkpointed=self.checkpointing and inputs.requires_grad)
        cls, keys = seen.cls.to(inputs.dtype), seen.keys.to(inputs.dtype)
        return [Sight(cls[row : row + 1], keys[row : row + 1]) for row in range(len(pictures))]
