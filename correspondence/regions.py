"""Masks on the grid of positions: what is inside, and which regions may match only each other."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d, adaptive_max_pool2d

from .features import Features

MOST_REGIONS = 60


def inside(mask: Tensor | None, features: Features, name: str) -> Tensor:
    """[B, h*w] bool: the positions that the mask touches at all; all without a mask.

    mask: [B or 1, H, W] at any size. As in the reference code of Eye-for-an-eye, only what is exactly 0 is outside, so
        that thin legs are not lost on coarse grids. Raises ValueError for another number of masks.
    """
    if mask is None:
        return torch.ones_like(features.values[:, 0], dtype=torch.bool).flatten(1)
    touched = adaptive_max_pool2d(_checked(mask, features, name)[:, None], features.grid) > 0
    return touched.flatten(1).expand(features.images, -1)


def paired(structure: Mapping[str, Tensor], appearance: Mapping[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
    """Masks of the same name as pairs. Raises ValueError for one whose partner is missing."""
    if alone := sorted(structure.keys() ^ appearance.keys()):
        raise ValueError(
            f"{', '.join(alone)}: connected for one image only. A region needs a mask in the structure and one in "
            "the appearance, on inputs of the same number."
        )
    return [(mask, appearance[name]) for name, mask in structure.items()]


def region_labels(
    regions: Sequence[tuple[Tensor, Tensor]], structure: Features, appearance: Features
) -> tuple[Tensor, Tensor] | None:
    """One number for every position, [B, h*w] and [B, h'*w'] int64: positions match only where it is the same.

    regions: pairs of masks, of the structure and of the appearance, each [B or 1, H, W]. Bit i of the number says
        whether region i holds the position, so that what is outside of all regions matches only what is outside too,
        and regions may lie inside each other. A region holds a position when it covers half of it, or, where it is too
        small
        for that, when it covers no position more: regions that touch stay apart.

    None without regions. Raises ValueError for a region without any position, and for too many of them.
    """
    if not regions:
        return None
    if len(regions) > MOST_REGIONS:
        raise ValueError(f"There are {len(regions)} pairs of regions; at most {MOST_REGIONS} can be told apart.")
    labels = []
    for side, (features, which) in enumerate(((structure, "structure"), (appearance, "appearance"))):
        bits = torch.zeros_like(features.values[:, 0], dtype=torch.int64).flatten(1)
        for i, pair in enumerate(regions):
            bits |= _covered(pair[side], features, f"{which} mask of region {i}").long() << i
        labels.append(bits)
    return labels[0], labels[1]


def _covered(mask: Tensor, features: Features, name: str) -> Tensor:
    cover = adaptive_avg_pool2d(_checked(mask, features, name)[:, None], features.grid).flatten(1)
    most = cover.amax(dim=1, keepdim=True)
    if not bool((most > 0).all()):
        raise ValueError(f"The {name} is empty. Paint the region in both images, or disconnect the pair.")
    return (cover >= most.clamp(max=0.5)).expand(features.images, -1)


def _checked(mask: Tensor, features: Features, name: str) -> Tensor:
    if mask.ndim != 3 or len(mask) not in (1, features.images):
        raise ValueError(
            f"The {name} should be [images, height, width] of 1 or {features.images} image(s), as the features "
            f"are, but it is {list(mask.shape)}. Connect one mask, or one for each image."
        )
    return mask.to(features.values.device, torch.float32)
