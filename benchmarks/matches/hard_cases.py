"""Structures that are hard to match: with another animal in the image, and cropped until the border is covered."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...pocket.render import Rendering, render
from ...pocket.truth import true_correspondence
from ..object_masks.scenes import ZOOM, cropped, smaller, two_animals, window_of
from ..transfers.pairs import SIZE, RenderedPairs
from .keypoints import Keypoints, spread


@dataclass(frozen=True, eq=False)
class Structures:
    """What is matched with the appearances of pairs.

    images: [B, H, W, 3]. spots: int64 [B, H, W], the pixel of the appearance that shows the same spot of the animal,
        row by row, or -1.
    """

    images: Tensor
    spots: Tensor

    def keypoints(self, truth: RenderedPairs) -> Keypoints:
        """As `keypoints_of` has them."""
        ours, theirs = zip(*(spread(spots, truth.appearance.mask.shape[2]) for spots in self.spots), strict=True)
        return Keypoints(list(ours), list(theirs), truth.appearance.mask)


def as_they_are(truth: RenderedPairs) -> Structures:
    """The structures of the pairs."""
    return Structures(truth.structure.image, _spots(truth.structure, truth))


def two_in_one_image(truth: RenderedPairs) -> Structures:
    """Each structure, drawn smaller, to the left of the next one's; the left animal is meant."""
    scenes = [pair.structure for pair in truth.pairs]
    left = _spots(render(smaller(scenes), SIZE), truth)
    return Structures(two_animals(scenes).images, torch.cat([left, torch.full_like(left, -1)], dim=2))


def at_the_border(truth: RenderedPairs) -> Structures:
    """Each structure, cropped."""
    scenes = [pair.structure for pair in truth.pairs]
    large = render(scenes, SIZE * ZOOM)
    pieces = []
    for spots, mask in zip(_spots(large, truth), large.mask, strict=True):
        top, left, side = window_of(mask > 0.5)
        piece = spots[top : top + side, left : left + side].double()  # whole numbers stay what they are
        pieces.append(interpolate(piece[None, None], (SIZE, SIZE), mode="nearest-exact")[0, 0].long())
    return Structures(cropped(scenes).images, torch.stack(pieces))


def _spots(structure: Rendering, truth: RenderedPairs) -> Tensor:
    """[B, H, W]; of animals that face opposite ways either flank, as in `keypoints_of`."""
    return torch.stack(
        [
            true_correspondence(structure, truth.appearance, i, i, mirror=not pair.same_side)
            for i, pair in enumerate(truth.pairs)
        ]
    )
