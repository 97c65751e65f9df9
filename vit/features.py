"""What a vision transformer sees of an image, as far as Splice's losses ask: its [CLS] token and its keys.

Tumanyan et al. 2022, section 3.1: [CLS] tells the appearance, the keys' self-similarity the structure. Both come out of
one pass through the network; the reference code takes a pass for each.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from .preprocess import vit_input
from .vit import VisionTransformer


@dataclass(frozen=True)
class ViTFeatures:
    """What is seen of one image at one layer. cls: [1, D], before the network's final norm. keys: [1, T, D]."""

    cls: Tensor
    keys: Tensor


@dataclass(frozen=True)
class ViTExtractor:
    """A frozen ViT, and how images are shown to it."""

    vit: VisionTransformer
    layer: int = -1
    """The block that is read; the last one, as the paper has it, unless a network's last one is degraded."""
    antialias: bool = False
    """How images come to the ViT's size; the reference code does it without."""
    checkpointing: bool = False
    """Keep only the input of every block and compute the rest again in the backward pass."""

    def extract(self, *images: Tensor) -> list[ViTFeatures]:
        """images: [1, 3, H, W] in 0..1, one, or several squares, which share a pass. Differentiable.

        The ViT computes in its own precision, what is seen comes back in that of the images.
        """
        inputs = torch.cat([vit_input(image, antialias=self.antialias) for image in images])
        seen = self.vit.forward_features(inputs, self.layer, checkpointed=self.checkpointing and inputs.requires_grad)
        cls, keys = seen.cls.to(inputs.dtype), seen.keys.to(inputs.dtype)
        return [ViTFeatures(cls[row : row + 1], keys[row : row + 1]) for row in range(len(images))]
