"""Features of two images to matches: field, nearest, mutual, soft or optimal transport, inside masks and regions."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .correspondence import NO_MATCH, Correspondence
from .features import Features
from .field import field_matches
from .grid_match import PointPairs, match_on_grids
from .nearest import best_positions, mutual_positions
from .points import check_pairs
from .regions import inside, region_labels
from .sinkhorn import transport_matches
from .softmax_match import soft_positions

MatchTensors = tuple[Tensor, Tensor, Tensor, Tensor]
FIELD, NEAREST, MUTUAL, SOFT, TRANSPORT = METHODS = ("field", "nearest", "mutual", "soft", "optimal transport")
ON_GRIDS = {FIELD: field_matches, TRANSPORT: transport_matches}
"""Methods that decide about all positions together."""


@dataclass(frozen=True)
class MatchSettings:
    """The parameters of `match`, which explains them."""

    method: str = NEAREST
    temperature: float = 0.05
    floor: float = -1.0
    candidates: int = 8


def match(
    structure: Features,
    appearance: Features,
    *,
    method: str = MatchSettings.method,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
    regions: Sequence[tuple[Tensor, Tensor]] = (),
    temperature: float = MatchSettings.temperature,
    floor: float = MatchSettings.floor,
    candidates: int = MatchSettings.candidates,
    forced: PointPairs = ((), ()),
) -> Correspondence:
    """Find for every position of the structure its position in the appearance, by the cosine of their features.

    method: field, where a smooth field through all matches puts it (`field`); optimal transport, where every position
        gives and takes the same (`sinkhorn`); nearest, the most similar position; mutual, the same where each is the
        best of the other; soft, the `candidates` most probable positions under softmax(cosine / temperature), weights
        renormalized over them.
    structure_mask: [B or 1, H, W] where matches are wanted. appearance_mask: what may be matched. A position counts
        that the mask touches at all; see `inside`.
    regions: pairs of masks whose positions may match only each other; see `region_labels`.
    floor: matches less similar than this are none.

    forced: points (x, y) in pixels of both images that belong together; the field bends to them, other methods do not
        look at them (see `force_pairs`).

    An appearance of one image serves all structures. The confidence of a field and of transport is the probability that
    the match is right; otherwise it is the cosine, not below 0, and of soft matches the share of the best position
    among all. Positions without a match have NO_MATCH.

    Raises ValueError for features of different networks or in different number, for masks that leave nothing to match
    in any image (in single ones, see `unmatched`, there are no matches), and for settings out of range.
    """
    _check_features(structure, appearance)
    _check_settings(method, temperature, floor, candidates)
    check_pairs(*forced, structure.image, appearance.image)
    query_mask = inside(structure_mask, structure, "structure mask")
    key_mask = inside(appearance_mask, appearance, "appearance mask").expand(structure.images, -1)
    labels = region_labels(regions, structure, appearance)
    possible = _possible(query_mask, key_mask, labels)
    if method in ON_GRIDS:
        soft = (structure_mask, appearance_mask)
        masks = (query_mask, key_mask)
        return match_on_grids(ON_GRIDS[method], structure, appearance, possible, masks, soft, labels, forced, floor)
    find = {
        NEAREST: partial(_hard, best_positions, floor),
        MUTUAL: partial(_hard, mutual_positions, floor),
        SOFT: partial(_soft, temperature, candidates, floor),
    }[method]

    index = torch.full((*query_mask.shape, candidates if method == SOFT else 1), NO_MATCH, device=query_mask.device)
    weight = torch.zeros(index.shape, device=query_mask.device)
    cosine, confidence = torch.zeros(2, *query_mask.shape, device=query_mask.device)
    for i in torch.nonzero(possible)[:, 0].tolist():
        j = i % appearance.images
        rows = torch.nonzero(query_mask[i])[:, 0]
        own_labels = None if labels is None else (labels[0][i, rows], labels[1][j])
        queries, keys = structure.values[i].flatten(1).T[rows], appearance.values[j].flatten(1).T
        found = find(queries, keys, key_mask=key_mask[i], labels=own_labels)
        index[i, rows], weight[i, rows], cosine[i, rows], confidence[i, rows] = found
    return Correspondence(
        index.movedim(-1, 1).unflatten(2, structure.grid).contiguous(),
        weight.movedim(-1, 1).unflatten(2, structure.grid).contiguous(),
        cosine.unflatten(1, structure.grid),
        confidence.unflatten(1, structure.grid),
        appearance.grid,
        structure.image,
        appearance.image,
    )


def unmatched(correspondence: Correspondence) -> list[int]:
    """The images in which nothing matches: the masks or regions leave nothing there, or the floor is too high."""
    nothing = (correspondence.index == NO_MATCH).flatten(1).all(dim=1)
    return torch.nonzero(nothing)[:, 0].tolist()


def _hard(
    positions: Callable[..., tuple[Tensor, Tensor]], floor: float, *vectors: Tensor, **key_mask: Any
) -> MatchTensors:
    """One match for each asking position: index and weight [n, 1], cosine and confidence [n]."""
    position, cosine = positions(*vectors, **key_mask)
    matched = (position != NO_MATCH) & (cosine >= floor)
    index, cosine = torch.where(matched, position, NO_MATCH), torch.where(matched, cosine, 0.0)
    return index[:, None], matched.float()[:, None], cosine, cosine.clamp(min=0)


def _soft(temperature: float, candidates: int, floor: float, *vectors: Tensor, **key_mask: Any) -> MatchTensors:
    """Several matches for each asking position: index and weight [n, K], cosine and confidence [n]."""
    index, probability, cosine = soft_positions(
        *vectors, temperature=temperature, candidates=candidates, floor=floor, **key_mask
    )
    kept = probability.sum(dim=1, keepdim=True)
    return index, probability / torch.where(kept > 0, kept, 1.0), cosine, probability[:, 0].clamp(max=1)


def _possible(query_mask: Tensor, key_mask: Tensor, labels: tuple[Tensor, Tensor] | None) -> Tensor:
    """[B] bool: the images in which any two positions may match. Raises ValueError if there is none."""
    possible = query_mask.any(1) & key_mask.any(1)
    if labels is not None:
        for i in torch.nonzero(possible)[:, 0].tolist():
            ours, theirs = labels[0][i][query_mask[i]], labels[1][i % len(labels[1])][key_mask[i]]
            possible[i] = torch.isin(ours, theirs).any()
    if not bool(possible.any()):
        where = "" if labels is None else " that lie in the same regions"
        raise ValueError(
            f"Nothing can be matched: the masks hold {int(query_mask.sum())} position(s) of the structure and "
            f"{int(key_mask.sum())} of the appearance, and there are no two{where}. Look at the masks: each must show "
            "the object in its own image (LoadImage gives an empty mask for an image without transparency)."
        )
    return possible


def _check_features(structure: Features, appearance: Features) -> None:
    if dict(structure.source) != dict(appearance.source):
        raise ValueError(
            f"The structure's features come from {_described(structure)} and the appearance's from "
            f"{_described(appearance)}, so they cannot be compared. Make both with the same node, model and settings."
        )
    if structure.values.shape[1] != appearance.values.shape[1]:
        raise ValueError(
            f"The structure's features have {structure.values.shape[1]} channels and the appearance's "
            f"{appearance.values.shape[1]}. Make both with the same node, model and settings."
        )
    if appearance.images not in (1, structure.images):
        raise ValueError(
            f"The structure's features are of {structure.images} image(s) and the appearance's of "
            f"{appearance.images}. Give one appearance for all, or one for each structure."
        )


def _described(features: Features) -> str:
    return ", ".join(f"{word} {value}" for word, value in features.source.items()) or "an unnamed source"


def _check_settings(method: str, temperature: float, floor: float, candidates: int) -> None:
    if method not in METHODS:
        raise ValueError(f"There is no matching method {method!r}; choose one of {', '.join(METHODS)}.")
    if not temperature > 0:
        raise ValueError(f"The temperature is {temperature:g}; soft matches need one above 0 (0.05 is usual).")
    if not -1 <= floor <= 1:
        raise ValueError(f"The floor is {floor:g}; a cosine lies in -1..1, and -1 keeps every match.")
    if candidates < 1:
        raise ValueError(f"The number of candidates is {candidates}; soft matches need at least 1.")
