"""Attention with enhanced contrast (Cross-Image Attention, arXiv 2311.03335), in O(N) memory.

The attention map A is spread around the mean of each row, (A - mean)*contrast + mean. A softmax row over M keys has
the mean 1/M exactly, so nothing needs to be averaged: A' = contrast*A - (contrast - 1)/M. In a joint sequence the keys
of the image alone are spread, around their own mean; what a query takes from the text stays as it is.

The reference code clips A' to 0..1 and does not renormalize it, so that a row may sum to as much as `contrast`; the
paper does not mention the clip. Without it, A' @ v = contrast*(A @ v) - (contrast - 1)*mean(v), which needs no map.
"""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import scaled_dot_product_attention

from .match_prior import Bias

CONTRAST = 1.67
"""The papers' value; 1 changes nothing."""

CPU_SCORE_BYTES = 8 * 2**20
"""How large the scores of one chunk of queries may get: what stays in a processor's cache is twice as fast."""
GPU_SCORE_BYTES = 64 * 2**20
"""The same on an accelerator, where few large chunks cost fewer launches."""


def contrasted_attention(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    contrast: float = CONTRAST,
    clip: bool = True,
    scale: float | None = None,
    query_chunk: int | None = None,
    bias: Bias | None = None,
    around: tuple[int, int] = (0, 0),
) -> Tensor:
    """Attention of q [B, H, N, d] over k, v [B or 1, H, M, d] with contrast; [B, H, N, d] in the dtype of q.

    With the clip, everything in between is in fp32 (or wider), whatever q is.

    contrast: 1 is plain attention.
    clip: True as the reference code, False as the paper.
    scale: of the scores, 1/sqrt(d) if None.
    query_chunk: queries whose rows of the map exist at a time (with the clip only); None keeps the scores of a chunk
        within a fixed number of bytes, so that memory beyond q, k, v and the result does not grow with N.
    bias: added to the scores, made in the same chunks; None adds nothing. Keys that it masks have no part in the mean.
    around: how many keys before and behind those of the image keep their weight as it is (the text of a joint
        sequence); the bias says nothing of them.
    """
    wide = torch.promote_types(q.dtype, torch.float32)
    k = k.expand(q.shape[0], -1, -1, -1)
    v = v.expand(q.shape[0], -1, -1, -1)
    if bias is None and contrast == 1:
        return scaled_dot_product_attention(q, k, v, scale=scale)
    if bias is None and not clip and not any(around):
        plain = scaled_dot_product_attention(q, k, v, scale=scale)
        mean = v.to(wide).mean(dim=-2, keepdim=True)
        return torch.lerp(mean, plain.to(wide), contrast).to(q.dtype)
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    keys = k.to(wide).transpose(-1, -2)
    values = v.to(wide)
    out = torch.empty_like(q)
    image = slice(around[0], keys.shape[-1] - around[1])
    for rows in query_chunks(q, k.shape[-2], query_chunk):
        scores = (q[..., rows, :].to(wide) * scale) @ keys
        seen: float | Tensor = image.stop - image.start
        if bias is not None:
            scores[..., image] += bias.rows(rows, scores)
            seen = bias.keys_seen(rows, scores, image.stop - image.start)
        attention = _contrasted(scores, contrast, image, seen, clip)
        out[..., rows, :] = (attention @ values).to(q.dtype)
    return out


def _contrasted(scores: Tensor, contrast: float, image: slice, seen: float | Tensor, clip: bool) -> Tensor:
    """contrast*A - (contrast - 1)*mean over the keys of the image, for A = softmax(scores [..., M]), clipped to 0..1 or
    not. Keys without a part in A have none in it; the mean is over those that are `seen`.
    """
    attention = torch.softmax(scores, dim=-1)
    inside = attention[..., image]
    whole = inside.shape[-1] == attention.shape[-1]
    mean = (contrast - 1) / seen if whole else inside.sum(-1, keepdim=True) * ((contrast - 1) / seen)
    if clip:
        spread = inside.mul(contrast).sub_(mean).clamp_(0, 1)
    else:
        spread = inside.mul(contrast).sub_(torch.where(inside > 0, mean, 0.0))
    return spread if whole else torch.cat([attention[..., : image.start], spread, attention[..., image.stop :]], -1)


def query_chunks(q: Tensor, keys: int, query_chunk: int | None = None) -> list[slice]:
    """Slices over the N queries of q [B, H, N, d], whose fp32 scores for that many keys fit the device's budget."""
    batch, heads, queries, _ = q.shape
    if query_chunk is None:
        budget = CPU_SCORE_BYTES if q.device.type == "cpu" else GPU_SCORE_BYTES
        query_chunk = budget // (batch * heads * keys * 4)
    query_chunk = max(1, query_chunk)
    return [slice(first, min(first + query_chunk, queries)) for first in range(0, queries, query_chunk)]
