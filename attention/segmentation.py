"""Masks from a model's own attention (Patashnik et al., arXiv 2303.11306), as Cross-Image Attention makes them.

Pixels that attend alike are one segment (k-means over the rows of the self-attention map); a segment belongs to the
noun whose cross-attention is clearly stronger there than elsewhere.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from .kmeans import kmeans
from .windows import SEGMENTATION_AT


@dataclass(frozen=True)
class SegmentationSettings:
    """at_percent: of the noise schedule, where the attention is read. clusters: see `cluster_pixels`. factor: see
    `label_clusters`.

    seed: of k-means. The defaults are those of the reference code of Cross-Image Attention.
    """

    at_percent: float = SEGMENTATION_AT
    clusters: int = 5
    factor: float = 1.4
    seed: int = 1


class ObjectMask(NamedTuple):
    """mask [h, w] (fp32, 0 or 1), whether it is empty, and how it came about: the label of every pixel [h, w] and the
    noun of every label (None for background)."""

    mask: Tensor
    empty: bool
    labels: Tensor
    nouns: list[str | None]


def object_mask(
    self_attention: Tensor,
    noun_maps: Mapping[str, Tensor],
    objects: Sequence[str],
    size: tuple[int, int],
    *,
    map_size: tuple[int, int] | None = None,
    clusters: int = SegmentationSettings.clusters,
    factor: float = SegmentationSettings.factor,
    seed: int = SegmentationSettings.seed,
) -> ObjectMask:
    """The pixels of the clusters that are labeled with one of the objects.

    self_attention: [N, N], mean over heads, N = h*w for size = (h, w); rows sum to 1.
    noun_maps: {noun: [n]}, each noun's cross-attention (see `noun_map`) on a grid of map_size = (h', w'), h'*w' = n;
        by default half of `size`. More nouns than the objects themselves make the choice sharper.
    objects: nouns that make up the mask; each must be a key of noun_maps.
    clusters, factor: see `cluster_pixels` and `label_clusters`.

    An empty result is returned as such, with `empty` set, for the caller to warn about.
    """
    missing = [noun for noun in objects if noun not in noun_maps]
    if missing or not objects:
        requested = ", ".join(map(repr, missing)) if missing else "no noun at all"
        raise ValueError(
            f"The mask is asked for {requested}, but the prompt's nouns are "
            f"{', '.join(map(repr, noun_maps)) or 'none'}; name a word that stands in the prompt."
        )
    height, width = size
    if tuple(self_attention.shape) != (height * width, height * width):
        raise ValueError(
            f"Self-attention of a {height}x{width} grid has the shape {[height * width] * 2}, "
            f"not {list(self_attention.shape)}."
        )
    map_size = ((height + 1) // 2, (width + 1) // 2) if map_size is None else map_size
    labels = cluster_pixels(self_attention, clusters, seed)
    grids = {noun: _resize(values, map_size, size) for noun, values in noun_maps.items()}
    nouns = label_clusters(labels, grids, factor)
    mask = torch.zeros_like(labels, dtype=torch.float32)
    for label, noun in enumerate(nouns):
        if noun in objects:
            mask[labels == label] = 1
    return ObjectMask(mask.view(size), not mask.any(), labels.view(size), nouns)


def cluster_pixels(
    self_attention: Tensor, clusters: int = SegmentationSettings.clusters, seed: int = SegmentationSettings.seed
) -> Tensor:
    """Labels [N] of the pixels, clustered by what they attend to: the rows of self_attention [N, N]."""
    return kmeans(self_attention, clusters, restarts=10, seed=seed)


def noun_map(cross_attention: Tensor, columns: Sequence[int]) -> Tensor:
    """The map [n] of a word: the mean over its token columns of cross_attention [n, T] (mean over heads).

    A word that the tokenizer splits has several columns; all of them count.
    """
    if not columns:
        raise ValueError("The word has no token in the prompt; name a word that stands in the prompt.")
    return cross_attention[:, list(columns)].mean(dim=1)


def label_clusters(
    labels: Tensor, noun_maps: Mapping[str, Tensor], factor: float = SegmentationSettings.factor
) -> list[str | None]:
    """The noun of each label 0..k-1, None for background.

    labels: [N]. noun_maps: {noun: [N]}, one value per pixel.

    A cluster's score for a noun is the mean there of the noun's map, normalized as (m - |min|) / max; its best noun
    is its own if that score exceeds `factor` times the mean of the clusters' best scores, the highest left out.
    """
    if not noun_maps:
        raise ValueError("There is no noun to label the segments with; name a word that stands in the prompt.")
    nouns = list(noun_maps)
    maps = torch.stack([noun_maps[noun].float() for noun in nouns])
    highest = maps.amax(dim=1, keepdim=True)
    maps = (maps - maps.amin(dim=1, keepdim=True).abs()) / torch.where(highest == 0, 1.0, highest)
    present = torch.unique(labels).tolist()
    scores = torch.stack([maps[:, labels == label].mean(dim=1) for label in present])
    best, noun_index = scores.max(dim=1)
    if len(present) < 2:
        return [None] * (int(labels.max()) + 1)
    threshold = factor * best.sort().values[:-1].mean()
    result: list[str | None] = [None] * (int(labels.max()) + 1)
    for label, score, index in zip(present, best, noun_index.tolist(), strict=True):
        result[label] = nouns[index] if score > threshold else None
    return result


def _resize(values: Tensor, map_size: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """A flat map [h'*w'] of one grid, nearest neighbor, as a flat map [h*w] of another."""
    if values.numel() != map_size[0] * map_size[1]:
        raise ValueError(
            f"A noun's map of a {map_size[0]}x{map_size[1]} grid has {map_size[0] * map_size[1]} values, "
            f"not {values.numel()}."
        )
    return interpolate(values.view(1, 1, *map_size).float(), size=size, mode="nearest-exact").flatten()
