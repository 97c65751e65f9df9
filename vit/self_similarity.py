"""Which positions of an image are alike to a ViT: Splice's image of structure (Tumanyan et al. 2022, section 3.1)."""

from __future__ import annotations

import torch
from torch import Tensor


def self_similarity(keys: Tensor) -> Tensor:
    """Cosine similarity of every token with every other: [B, T, D] -> [B, T, T] in -1..1, in fp32 at least.

    Splice takes the keys of the last block with CLS (and registers) included.
    """
    keys = keys.to(torch.promote_types(keys.dtype, torch.float32))
    length = torch.linalg.vector_norm(keys, dim=-1, keepdim=True)
    return keys @ keys.mT / (length * length.mT).clamp(min=1e-8)
