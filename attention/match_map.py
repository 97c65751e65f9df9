"""Which part of the reference paints which part of the image: where each query looks most."""

from __future__ import annotations

import torch
from torch import Tensor

from .contrast import query_chunks


def attended_positions(q: Tensor, k: Tensor, chunk: int | None = None) -> tuple[Tensor, Tensor]:
    """(index, weight) of the key that each query attends to most, in the mean over heads.

    q: [B, H, N, d]. k: [B or 1, H, M, d].
    chunk: queries at a time; None keeps memory independent of N, as in `contrasted_attention`.

    Returns index [B, N] (int64, row-major positions of the reference's token grid) and weight [B, N] (fp32), its mean
    attention in 1/M..1: near 1/M the query looks everywhere, near 1 at this position alone.
    """
    keys = k.float().transpose(-1, -2)
    scale = q.shape[-1] ** -0.5
    weights, indices = [], []
    for rows in query_chunks(q, k.shape[-2], chunk):
        attention = torch.softmax((q[..., rows, :].float() * scale) @ keys, dim=-1).mean(dim=1)
        weight, index = attention.max(dim=-1)
        weights.append(weight)
        indices.append(index)
    return torch.cat(indices, dim=1), torch.cat(weights, dim=1)
