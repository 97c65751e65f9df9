"""Cross-image attention (Alaluf et al., arXiv 2311.03335): the output's queries look at reference images.

Every query position takes a share of each reference's attention output and the rest from its own image.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .contrast import CONTRAST, contrasted_attention
from .match_prior import AttentionBias

NEGLIGIBLE = 1e-6
"""A share below this is rounding, not a wish."""


class Reference(NamedTuple):
    """What an image offers to be looked at: k, v [B or 1, H, M, d], and `weight` [B or 1, N] in 0..1, its part in the
    result at each query position; `bias`, which of its keys a query should look at; `around`, how many of k and v
    before and behind those of the image are of the text."""

    k: Tensor
    v: Tensor
    weight: Tensor
    bias: AttentionBias | None = None
    around: tuple[int, int] = (0, 0)


def cross_image_attention(
    q: Tensor,
    own: Tensor | None,
    references: Sequence[Reference],
    *,
    contrast: float = CONTRAST,
    clip: bool = True,
) -> Tensor:
    """sum over references of share * contrasted attention + (1 - sum of shares) * own, [B, H, N, d].

    q: [B, H, N, d] of the output.
    own: what its plain self-attention gives, [B, H, N, d], passed in computed, since other patches may have their
        part in it; None is allowed where the shares leave nothing of it.
    references: their shares must not exceed 1 in sum (see `weight_maps`).
    contrast, clip: of the references' attention, see `contrasted_attention`.

    Only positions with a share are computed: a reference that paints a third of the image costs a third.
    """
    queries = q.shape[2]
    rest = torch.ones(1, queries, device=q.device)
    out: Tensor | None = None
    for k, v, weight, bias, around in references:
        weight = weight.to(rest).expand(-1, queries)
        rest = rest - weight
        positions = query_positions(weight)
        if positions is None:
            continue
        part = contrasted_attention(
            q[:, :, positions], k, v, contrast=contrast, clip=clip, around=around,
            bias=None if bias is None else bias.at(positions),
        )  # fmt: skip
        out = _add(out, part, weight, positions, q)
    positions = query_positions(rest)
    if positions is not None:
        if own is None:
            raise ValueError("The shares of the references leave a rest, which needs the output's own attention.")
        out = _add(out, own[:, :, positions], rest, positions, q)
    return torch.zeros_like(q) if out is None else out


def weight_maps(weights: Sequence[float], masks: Sequence[Tensor | None], size: tuple[int, int], batch: int) -> Tensor:
    """The references' shares [R, batch, N] at the h*w = N positions of a token grid, never more than 1 in sum.

    weights: one per reference, 0 or more. Where references overlap it is their relative mix; where they sum to less
        than 1, the rest stays with the output itself. A lone reference of weight 0.7 leaves 0.3.
    masks: one per reference, [H, W] or [b, H, W] in 0..1 at any size (averaged over each token's area), None for
        everywhere. Fewer masks than outputs are repeated, as ComfyUI does.
    size: (h, w) of the token grid.
    """
    maps = _weight_maps(weights, masks, size, batch)
    return maps / maps.sum(dim=0).clamp_min(1)


def union(weights: Sequence[float], masks: Sequence[Tensor | None], size: tuple[int, int], batch: int) -> Tensor:
    """What all references of `weight_maps` have together, [1, batch, N] in 0..1: the share of one that stands for
    them.
    """
    return _weight_maps(weights, masks, size, batch).sum(dim=0, keepdim=True).clamp_max(1)


def _weight_maps(weights: Sequence[float], masks: Sequence[Tensor | None], size: tuple[int, int], batch: int) -> Tensor:
    """[R, batch, N] weight times mask, not yet limited where references overlap; raises ValueError as `weight_maps`."""
    if len(weights) != len(masks):
        raise ValueError(f"There are {len(weights)} weights for {len(masks)} masks; give each reference one of both.")
    if any(weight < 0 for weight in weights):
        raise ValueError(f"The weight of a reference must be 0 or more, but the weights are {list(weights)}.")
    device = next((mask.device for mask in masks if mask is not None), torch.device("cpu"))
    maps = torch.zeros(len(weights), batch, size[0] * size[1], device=device)
    for row, weight, mask in zip(maps, weights, masks, strict=True):
        row += weight if mask is None else weight * _tokens(mask, size, batch).to(device)
    return maps


def _tokens(mask: Tensor, size: tuple[int, int], batch: int) -> Tensor:
    mask = mask.float().clamp(0, 1)
    mask = mask.reshape(-1, 1, *mask.shape[-2:])
    grid = interpolate(mask, size=size, mode="area").flatten(1)
    return grid[torch.arange(batch, device=grid.device) % len(grid)]


def query_positions(weight: Tensor) -> Tensor | slice | None:
    """Where any output of the batch wants this part: None for nowhere, a slice for everywhere, else indices [n]."""
    query_mask = (weight > NEGLIGIBLE).any(dim=0)
    if not query_mask.any():
        return None
    return slice(None) if query_mask.all() else query_mask.nonzero().squeeze(1)


def _add(out: Tensor | None, part: Tensor, weight: Tensor, positions: Tensor | slice, q: Tensor) -> Tensor:
    """out + share * part at these positions; `out` is not changed where nothing needs to be weighed."""
    weight = weight[:, positions]
    if out is None and isinstance(positions, slice) and bool((weight == 1).all()):
        return part
    out = torch.zeros_like(q) if out is None else out
    out[:, :, positions] += part * weight[:, None, :, None].to(part.dtype)
    return out
