"""Where a word of the prompt is seen: a mask from cross-attention maps.

The recipe of prompt-to-prompt's local blend (Hertz et al., arXiv 2208.01626), which Fine-grained Appearance Transfer
(arXiv 2311.16513) takes its mask from.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from .windows import WORD_MAP_AT

DOWNSCALES = (1, 2, 4, 8)
"""By how many times the maps may be smaller than the latent; which of them there are is the model's business."""
POSITIONS = 16
"""On a side of the maps that prompt-to-prompt reads, which are those of a word at 512 pixels on SD1.x."""


@dataclass(frozen=True)
class WordMapSettings:
    """threshold: see `word_mask`. at_percent: of the noise schedule, up to which (`accumulate`) or at which
    the attention is read.

    downscale: how many times smaller than the latent the maps are, one of DOWNSCALES; None: see `fitting_downscale`.
    """

    threshold: float = 0.3
    at_percent: float = WORD_MAP_AT
    accumulate: bool = True
    downscale: int | None = None


def fitting_downscale(available: Collection[int], size: tuple[int, int]) -> int:
    """The coarsest of these downscales whose maps of a latent (h, w) have 16 positions on the longer side, else the
    finest.
    """
    fitting = [downscale for downscale in available if max(size) >= POSITIONS * downscale]
    return max(fitting, default=min(available))


def word_mask(
    attention: Tensor,
    columns: Sequence[int],
    grid: tuple[int, int],
    size: tuple[int, int],
    threshold: float = WordMapSettings.threshold,
) -> Tensor:
    """MASK [B, H, W] of the words in these token columns.

    attention: [B, n, T], cross-attention of each of the n positions of `grid` = (h, w) to each of T tokens, mean over
        heads, layers and steps.
    columns: the word's tokens; their maps are added up.
    size: (H, W) of the mask. threshold: share of the strongest position above which a position is 1 and below which it
        is 0; with threshold 0 the mask is soft, each position's share itself, in 0..1.

    The word's map takes the largest value of its 3 x 3 neighborhood before it is enlarged (nearest neighbor), so that
    the mask rather holds too much than cuts the object's border.
    """
    word = attention[..., list(columns)].float().sum(dim=-1).unflatten(-1, grid)
    word = max_pool2d(word[:, None], kernel_size=3, stride=1, padding=1)
    word = interpolate(word, size=size, mode="nearest-exact")[:, 0]
    strongest = word.amax(dim=(-1, -2), keepdim=True)
    weight = word / torch.where(strongest > 0, strongest, 1.0)
    return (weight > threshold).float() if threshold > 0 else weight
