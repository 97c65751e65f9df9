"""Do two images have the same textures, wherever they are? The distance of their Gram matrices.

Cross-Image Attention (Alaluf et al., SIGGRAPH 2024, section 4.1) reports the L2 distance between Gram matrices of five
layers of VGG-19 and leaves the rest open. Here: the first layer of each block, as Gatys et al. (CVPR 2016) take for
style, G = F F^T (their equation 3) divided by channels and positions, so that images of any two sizes can be compared,
the Frobenius norm of the difference, and the mean over the layers.
"""

from __future__ import annotations

import torch
from torch import Tensor

from .backbone import Backbone


def gram_distance(backbone: Backbone, output: Tensor, appearance: Tensor) -> Tensor:
    """One distance per pair [B]; 0 is the same textures. Images [B, 3, H, W] in 0..1, of one size in each batch."""
    layers = zip(_gram_matrices(backbone, output), _gram_matrices(backbone, appearance), strict=True)
    return torch.stack([torch.linalg.matrix_norm(a - b) for a, b in layers]).mean(0)


def gram_matrix(features: Tensor) -> Tensor:
    """[B, C, h, w] -> [B, C, C]: how much any two channels speak up together, by channel and position."""
    rows = features.flatten(2)
    return rows @ rows.mT / rows[0].numel()


def _gram_matrices(backbone: Backbone, images: Tensor) -> list[Tensor]:
    return [gram_matrix(first) for first, *_ in backbone(images * 2 - 1)]
