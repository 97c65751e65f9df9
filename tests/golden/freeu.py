"""FreeU as the reference code of Cross-Image Attention has it, for parity only (users have ComfyUI's FreeU node).

Unlike FreeU (arXiv 2309.11497), it filters the backbone, not the skip connection, once at the entry of each up block.
"""

from __future__ import annotations

import torch
from torch import Tensor


def enter_up_block(x: Tensor, backbone: float, filtered: float) -> Tensor:
    """x [B, C, h, w] entering an up block: the first half of its channels scaled, then every channel filtered."""
    half = x.shape[1] // 2
    return low_frequency_filter(torch.cat([x[:, :half] * backbone, x[:, half:]], dim=1), filtered)


def low_frequency_filter(x: Tensor, scale: float) -> Tensor:
    """Scale the lowest spatial frequencies of x [..., h, w].

    The released filter scales the frequencies -1 and 0 of each axis and keeps the real part, which averages the
    factors of f and -f: DC gets `scale`, and (0, +-1), (+-1, 0), (1, 1), (-1, -1) get (1 + scale)/2.
    """
    factor = torch.ones(x.shape[-2:], dtype=x.dtype)
    factor[0, 0] = scale
    for row, column in ((0, 1), (0, -1), (1, 0), (-1, 0), (1, 1), (-1, -1)):
        factor[row, column] = (1 + scale) / 2
    return torch.fft.ifft2(torch.fft.fft2(x) * factor).real
