"""Images with their object's true mask: pocket scenes as they are, cropped until the object fills the border, and two
animals side by side, of which one is meant.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...pocket.render import render
from ...pocket.scene import Scene
from ..transfers.pairs import SIZE

BORDER_SHARE = 1 / 3
"""Of a cropped image's border, what the object covers at least."""
ZOOM = 2
"""Cropped images are cut out of renderings so many times as large."""

SMALLER = 0.75
"""How large two animals are drawn side by side, beside one alone."""


@dataclass(frozen=True, eq=False)
class Objects:
    """images: [B, H, W, 3] in 0..1. masks: bool [B, H, W], the true ones. nouns: what each image shows."""

    images: Tensor
    masks: Tensor
    nouns: list[str]


def whole(scenes: list[Scene]) -> Objects:
    """The scenes as every other benchmark has them."""
    truth = render(scenes, SIZE)
    return Objects(truth.image, truth.mask > 0.5, [scene.species for scene in scenes])


def cropped(scenes: list[Scene]) -> Objects:
    """The largest square around the middle of each object of whose border the object covers BORDER_SHARE."""
    truth = render(scenes, SIZE * ZOOM)
    windows = [window_of(mask > 0.5) for mask in truth.mask]
    images = torch.stack(
        [_cut(image.movedim(-1, 0), window) for image, window in zip(truth.image, windows, strict=True)]
    )
    masks = torch.stack([_cut(mask[None], window)[0] for mask, window in zip(truth.mask, windows, strict=True)])
    return Objects(images.movedim(1, -1), masks > 0.5, [scene.species for scene in scenes])


def two_animals(scenes: list[Scene]) -> Objects:
    """Each scene, drawn smaller, to the left of the next one; the left animal is meant."""
    left = render(smaller(scenes), SIZE)
    right = render(smaller(scenes[1:] + scenes[:1]), SIZE)
    masks = torch.cat([left.mask > 0.5, torch.zeros_like(right.mask, dtype=torch.bool)], dim=2)
    return Objects(torch.cat([left.image, right.image], dim=2), masks, [scene.species for scene in scenes])


def smaller(scenes: list[Scene]) -> list[Scene]:
    """The scenes as one of two has to be."""
    return [replace(scene, fill=scene.fill * SMALLER) for scene in scenes]


def border_share(mask: Tensor) -> float:
    """Of the border of a bool mask [H, W], how much is True."""
    border = torch.cat([mask[0], mask[-1], mask[1:-1, 0], mask[1:-1, -1]])
    return float(border.float().mean())


Window = tuple[int, int, int]
"""(top, left, side) in pixels."""


def window_of(mask: Tensor) -> Window:
    """The largest square around the middle of a bool mask [H, W] of whose border it covers BORDER_SHARE."""
    length = min(mask.shape)
    rows, columns = mask.any(1).nonzero(), mask.any(0).nonzero()
    middle = [int(found.min() + found.max() + 1) // 2 for found in (rows, columns)]
    for side in range(length, length // 8, -2):
        top, left = (min(max(0, at - side // 2), length - side) for at in middle)
        if border_share(mask[top : top + side, left : left + side]) >= BORDER_SHARE:
            return top, left, side
    raise ValueError("No square around the middle of the object has enough of it on its border.")


def _cut(channels: Tensor, window: Window) -> Tensor:
    """[C, SIZE, SIZE] of [C, H, W]."""
    top, left, side = window
    piece = channels[None, :, top : top + side, left : left + side]
    return interpolate(piece, (SIZE, SIZE), mode="bilinear", antialias=True)[0].clamp(0, 1)
