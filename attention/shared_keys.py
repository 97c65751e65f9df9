"""The output's own keys and those of reference images in one softmax, beside each other.

Cross-image attention replaces the own keys. Here they stay, and the weights act as a prior: log(1 - w) is added to the
scores of the own image, log(w) to a reference's, so that w = 0 is the plain attention and w = 1 the replaced one. With
the output itself as reference every w gives the plain attention, since the two halves sum to the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from .contrast import CONTRAST, contrasted_attention
from .cross_image import Reference, query_positions
from .match_prior import AttentionBias

REPLACE, BALANCED, CONCATENATED = "replace", "balanced", "concatenated"
SHARING = (REPLACE, BALANCED)
"""How references and the output's own image divide the attention. CONCATENATED adds the keys without a prior; it is
what others do and has no identity where a text is in the same softmax, so it is there to compare with."""


class OwnKeys(NamedTuple):
    """k, v [B, H, M, d] of the output's own sequence, with `around`, how many of them before and behind those of the
    image are of the text."""

    k: Tensor
    v: Tensor
    around: tuple[int, int] = (0, 0)


def shared_keys_attention(
    q: Tensor,
    own: Tensor | None,
    keys: OwnKeys,
    references: Sequence[Reference],
    *,
    contrast: float = CONTRAST,
    clip: bool = True,
    balanced: bool = True,
) -> Tensor:
    """Attention over the own keys and those of all references, [B, H, N, d].

    q: [B, H, N, d] of the output. own: its plain attention, which stays where no reference has a weight; None is
        allowed where all positions have one. references: k and v of the image alone; their weights must not exceed 1 in
        sum. balanced: the weights are a prior; without it they say only where.
    """
    own = torch.zeros_like(q) if own is None else own
    weights = torch.stack([reference.weight.expand(q.shape[0], -1) for reference in references]).to(q.device)
    positions = query_positions(weights.sum(0))
    if positions is None:
        return own
    before, behind = keys.around
    image = slice(before, keys.k.shape[2] - behind)
    groups = [_Group(image.stop - image.start, (1 - weights.sum(0)).clamp(0, 1)[:, positions] if balanced else None)]
    for reference, weight in zip(references, weights, strict=True):
        bias = None if reference.bias is None else reference.bias.at(positions)
        groups.append(_Group(reference.k.shape[2], weight[:, positions] if balanced else None, bias))
    k, v = (
        torch.cat([of_own[:, :, : image.stop], *of_others, of_own[:, :, image.stop :]], 2)
        for of_own, of_others in (
            (keys.k, [reference.k.expand(len(q), -1, -1, -1) for reference in references]),
            (keys.v, [reference.v.expand(len(q), -1, -1, -1) for reference in references]),
        )
    )
    part = contrasted_attention(
        q[:, :, positions], k, v, contrast=contrast, clip=clip, bias=_JoinedBias(groups), around=keys.around
    )
    read = (weights.sum(0) > 0)[:, positions]
    out = own.clone()
    out[:, :, positions] = torch.where(read[:, None, :, None], part, own[:, :, positions])
    return out


@dataclass(frozen=True, eq=False)
class _Group:
    """Keys of one image: how many, their weight at each query [B, n] (None: no prior), and what is known besides."""

    keys: int
    weight: Tensor | None
    bias: AttentionBias | None = None

    def rows(self, queries: slice, like: Tensor) -> Tensor:
        bias = like.new_zeros(1, 1, 1, 1) if self.bias is None else self.bias.rows(queries, like)
        if self.weight is not None:
            bias = bias + self.weight[:, None, queries, None].to(like).log()
        return bias.expand(len(like), 1, like.shape[2], self.keys)

    def keys_seen(self, queries: slice, like: Tensor) -> float | Tensor:
        seen = self.keys if self.bias is None else self.bias.keys_seen(queries, like, self.keys)
        return seen if self.weight is None else seen * (self.weight[:, None, queries, None].to(like) > 0)


class _JoinedBias:
    """See `Bias`: of groups of keys that stand one behind the other."""

    def __init__(self, groups: Sequence[_Group]):
        self.groups = groups

    def rows(self, queries: slice, like: Tensor) -> Tensor:
        return torch.cat([group.rows(queries, like) for group in self.groups], -1)

    def keys_seen(self, queries: slice, like: Tensor, every: int) -> float | Tensor:
        return sum(group.keys_seen(queries, like) for group in self.groups)
