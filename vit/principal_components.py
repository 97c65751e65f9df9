"""An image of what a ViT takes for alike: the principal components of the keys' self-similarity as colors.

As in Splice's reference code (keys_self_sim_pca; figure 5 of Tumanyan et al. 2022).
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch
from PIL import Image
from scipy.linalg import eigh
from torch import Tensor

from .self_similarity import self_similarity
from .vit import ViTOutput


class PrincipalComponents(NamedTuple):
    """axes [count, f], orthonormal, the strongest first; projected [n, count], the rows along them; variance [count],
    of the rows along each axis. In float64.
    """

    axes: Tensor
    projected: Tensor
    variance: Tensor


def principal_components(rows: Tensor, count: int = 3) -> PrincipalComponents:
    """PCA of rows [n, f]. Every axis points to where its entry of largest magnitude is positive: signs are arbitrary.

    Raises ValueError where there are fewer than `count` directions to find.
    """
    samples, features = rows.shape
    if count > min(samples - 1, features):
        raise ValueError(f"{samples} rows of {features} numbers do not have {count} principal components.")
    values = rows.detach().cpu().double().numpy()
    centered = values - values.mean(axis=0)
    covariance = centered.T @ centered / (samples - 1)
    variance, axes = eigh(covariance, subset_by_index=(features - count, features - 1))
    variance, axes = variance[::-1].copy(), axes.T[::-1]
    axes = axes * np.sign(np.take_along_axis(axes, np.abs(axes).argmax(axis=1, keepdims=True), axis=1))
    return PrincipalComponents(*map(torch.from_numpy, (axes, centered @ axes.T, variance)))


def self_similarity_image(vit_output: ViTOutput, patch: int) -> Tensor:
    """The keys of every image as colors: uint8 [B, h*patch, w*patch, 3].

    The components are fitted to all tokens, those before the patches included, and the three together fill 0..255.
    """
    return torch.stack([_image(rows, vit_output, patch) for rows in self_similarity(vit_output.keys)])


def _image(rows: Tensor, vit_output: ViTOutput, patch: int) -> Tensor:
    height, width = vit_output.grid
    projected = principal_components(rows).projected[1 + vit_output.registers :]
    low, high = projected.min(), projected.max()
    scaled = (projected - low) / (high - low).clamp(min=torch.finfo(projected.dtype).tiny)
    pixels = (scaled.view(height, width, 3) * 255).to(torch.uint8).numpy()
    enlarged = Image.fromarray(pixels).resize((width * patch, height * patch), Image.Resampling.BILINEAR)
    return torch.from_numpy(np.array(enlarged))
