"""Eye-for-an-eye (Go et al., arXiv 2406.07008, section 3.2): every position of the output takes over the feature of the
appearance's position that matches it.

A feature is what enters a self-attention layer: after the norm, before queries, keys and values are made of it. All of
them then come from the appearance, in the order of the output, and the output goes on looking at itself.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ..correspondence.correspondence import NO_MATCH
from ..correspondence.nearest import best_positions


class ReferenceFeatures(NamedTuple):
    """What an image gives to an output: its features [m, C], which of them each of n positions takes (`matches` [n],
    NO_MATCH for none), and how much of it (`weight` [n] in 0..1).

    Where a match lies between positions, `matches` is [n, k] and `fractions` [n, k]: the position takes the mean of k
    features, whose fractions sum to 1.
    """

    features: Tensor
    matches: Tensor
    weight: Tensor
    fractions: Tensor | None = None


def match_features(
    own: Tensor, appearance: Tensor, query_mask: Tensor | None = None, key_mask: Tensor | None = None
) -> Tensor:
    """For each position of `own` [n, C] the position of `appearance` [m, C] with the most similar feature: [n] int64.

    query_mask: [n] bool, the positions that need a match; all if None. key_mask: [m] bool, the positions that may be
    it. NO_MATCH where none is wanted or none is allowed.

    The reference code multiplies the appearance's features by its mask, so that a masked position has cosine 0 and is
    taken where all others are negative. Here it never is.
    """
    if query_mask is None:
        return best_positions(own, appearance, key_mask=key_mask)[0]
    index = torch.full((len(own),), NO_MATCH, dtype=torch.int64, device=own.device)
    index[query_mask] = best_positions(own[query_mask], appearance, key_mask=key_mask)[0]
    return index


def rearranged(own: Tensor, references: Iterable[ReferenceFeatures]) -> Tensor:
    """own [n, C] with reference features in it: sum of weight * features at the matches + (1 - sum of weights) * own.

    The weights of all references must not exceed 1 in sum. Where nothing matches or weighs, `own` stays bit for bit.
    """
    painted = torch.zeros_like(own)
    rest = torch.ones(len(own), 1, dtype=own.dtype, device=own.device)
    for features, matches, weight, fractions in references:
        found = matches != NO_MATCH if fractions is None else (matches != NO_MATCH).all(1)
        weight = torch.where(found, weight, 0.0).to(own.dtype)[:, None]
        painted += weight * _at(matches.clamp(min=0), features, fractions)
        rest -= weight
    return painted + rest * own


def _at(matches: Tensor, features: Tensor, fractions: Tensor | None) -> Tensor:
    """[n, C]: the features of the matches, or the mean of those around them."""
    if fractions is None:
        return features[matches]
    parts = (
        features[one] * fraction[:, None] for one, fraction in zip(matches.T, fractions.to(features).T, strict=True)
    )
    return sum(parts, torch.zeros_like(features[:1]))


def touched(mask: Tensor, grid: tuple[int, int]) -> Tensor:
    """[b, h, w] bool: the positions of a token grid that a mask [H, W] or [b, H, W] in 0..1 touches.

    As in the reference code: reduced bilinearly, and only exact zeros are outside.
    """
    mask = mask.float().reshape(-1, 1, *mask.shape[-2:])
    return interpolate(mask, size=grid, mode="bilinear", align_corners=False)[:, 0] > 0
