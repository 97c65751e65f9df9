"""Features of two pictures to matches: nearest, mutual or soft, inside masks and regions."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import torch
from torch import Tensor

from .correspondence import NO_MATCH, Correspondence
from .features import Features
from .nearest import best_places, mutual_places
from .regions import inside, region_labels
from .soft import soft_places

logger = logging.getLogger("appearance_transfer")

Found = tuple[Tensor, Tensor, Tensor, Tensor]
NEAREST, MUTUAL, SOFT = METHODS = ("nearest", "mutual", "soft")


def match(
    structure: Features,
    appearance: Features,
    *,
    method: str = NEAREST,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
    regions: Sequence[tuple[Tensor, Tensor]] = (),
    temperature: float = 0.05,
    floor: float = -1.0,
    candidates: int = 8,
) -> Correspondence:
    """Find for every place of the structure its place in the appearance, by the cosine of their features.

    method: nearest, the most similar place; mutual, the same where each is the best of the other; soft, the
        `candidates` most probable places under softmax(cosine / temperature), weights renormalised over them.
    structure_mask: [B or 1, H, W] where matches are wanted. appearance_mask: what may be matched. A place counts that
        the mask touches at all; see `inside`.
    regions: pairs of masks whose places may match only each other; see `region_labels`.
    floor: matches less similar than this are none.

    An appearance of one picture serves all structures. The confidence is the cosine, not below 0; of soft matches the
    probability of the best place among all. Places without a match have NO_MATCH.

    Raises ValueError for features of different networks or in different number, for masks that leave nothing to match
    in any picture (in single ones: a warning, and no matches there), and for settings out of range.
    """
    _check_features(structure, appearance)
    _check_settings(method, temperature, floor, candidates)
    wanted = inside(structure_mask, structure, "structure mask")
    offered = inside(appearance_mask, appearance, "appearance mask").expand(structure.pictures, -1)
    labels = region_labels(regions, structure, appearance)
    possible = _possible(wanted, offered, labels)
    find = {
        NEAREST: partial(_hard, best_places, floor),
        MUTUAL: partial(_hard, mutual_places, floor),
        SOFT: partial(_soft, temperature, candidates, floor),
    }[method]

    index = torch.full((*wanted.shape, candidates if method == SOFT else 1), NO_MATCH, device=wanted.device)
    weight = torch.zeros(index.shape, device=wanted.device)
    cosine, confidence = torch.zeros(2, *wanted.shape, device=wanted.device)
    for i in torch.nonzero(possible)[:, 0].tolist():
        j = i % appearance.pictures
        rows = torch.nonzero(wanted[i])[:, 0]
        own_labels = None if labels is None else (labels[0][i, rows], labels[1][j])
        asking, offering = structure.values[i].flatten(1).T[rows], appearance.values[j].flatten(1).T
        found = find(asking, offering, allowed=offered[i], labels=own_labels)
        index[i, rows], weight[i, rows], cosine[i, rows], confidence[i, rows] = found
    return Correspondence(
        index.movedim(-1, 1).unflatten(2, structure.grid).contiguous(),
        weight.movedim(-1, 1).unflatten(2, structure.grid).contiguous(),
        cosine.unflatten(1, structure.grid),
        confidence.unflatten(1, structure.grid),
        appearance.grid,
        structure.picture,
        appearance.picture,
    )


def _hard(places: Callable[..., tuple[Tensor, Tensor]], floor: float, *vectors: Tensor, **allowed: Any) -> Found:
    """One match for each asking place: index and weight [n, 1], cosine and confidence [n]."""
    place, cosine = places(*vectors, **allowed)
    matched = (place != NO_MATCH) & (cosine >= floor)
    index, cosine = torch.where(matched, place, NO_MATCH), torch.where(matched, cosine, 0.0)
    return index[:, None], matched.float()[:, None], cosine, cosine.clamp(min=0)


def _soft(temperature: float, candidates: int, floor: float, *vectors: Tensor, **allowed: Any) -> Found:
    """Several matches for each asking place: index and weight [n, K], cosine and confidence [n]."""
    index, probability, cosine = soft_places(
        *vectors, temperature=temperature, candidates=candidates, floor=floor, **allowed
    )
    kept = probability.sum(dim=1, keepdim=True)
    return index, probability / torch.where(kept > 0, kept, 1.0), cosine, probability[:, 0].clamp(max=1)


def _possible(wanted: Tensor, offered: Tensor, labels: tuple[Tensor, Tensor] | None) -> Tensor:
    """[B] bool: the pictures in which any two places may match. Raises ValueError if there is none."""
    possible = wanted.any(1) & offered.any(1)
    if labels is not None:
        for i in torch.nonzero(possible)[:, 0].tolist():
            ours, theirs = labels[0][i][wanted[i]], labels[1][i % len(labels[1])][offered[i]]
            possible[i] = torch.isin(ours, theirs).any()
    if not bool(possible.any()):
        where = "" if labels is None else " that lie in the same regions"
        raise ValueError(
            f"Nothing can be matched: the masks hold {int(wanted.sum())} place(s) of the structure and "
            f"{int(offered.sum())} of the appearance, and there are no two{where}. Look at the masks: each must show "
            "the object in its own picture (LoadImage gives an empty mask for a picture without transparency)."
        )
    for i in torch.nonzero(~possible)[:, 0].tolist():
        logger.warning("The masks leave nothing to match in picture %d, so nothing matches there.", i)
    return possible


def _check_features(structure: Features, appearance: Features) -> None:
    if dict(structure.source) != dict(appearance.source):
        raise ValueError(
            f"The structure's features come from {_told(structure)} and the appearance's from {_told(appearance)}, so "
            "they cannot be compared. Make both with the same node, model and settings."
        )
    if structure.values.shape[1] != appearance.values.shape[1]:
        raise ValueError(
            f"The structure's features have {structure.values.shape[1]} channels and the appearance's "
            f"{appearance.values.shape[1]}. Make both with the same node, model and settings."
        )
    if appearance.pictures not in (1, structure.pictures):
        raise ValueError(
            f"The structure's features are of {structure.pictures} picture(s) and the appearance's of "
            f"{appearance.pictures}. Give one appearance for all, or one for each structure."
        )


def _told(features: Features) -> str:
    return ", ".join(f"{word} {value}" for word, value in features.source.items()) or "an unnamed source"


def _check_settings(method: str, temperature: float, floor: float, candidates: int) -> None:
    if method not in METHODS:
        raise ValueError(f"There is no matching method {method!r}; choose {NEAREST}, {MUTUAL} or {SOFT}.")
    if not temperature > 0:
        raise ValueError(f"The temperature is {temperature:g}; soft matches need one above 0 (0.05 is usual).")
    if not -1 <= floor <= 1:
        raise ValueError(f"The floor is {floor:g}; a cosine lies in -1..1, and -1 keeps every match.")
    if candidates < 1:
        raise ValueError(f"The number of candidates is {candidates}; soft matches need at least 1.")
