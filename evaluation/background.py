"""Was everything but the object left alone?"""

from __future__ import annotations

import torch
from torch import Tensor

from .perceptual import PerceptualDistance

HIDDEN = 0.5


def background_lpips(
    distance: PerceptualDistance, output: Tensor, structure: Tensor, mask: Tensor
) -> tuple[Tensor, Tensor]:
    """LPIPS outside the object: one per pair [B], and where it is [B, H, W] (pix2pix-zero, section 4.1).

    output, structure: [B, 3, H, W] in 0..1. mask: [B, H, W], above one half on the object, which is painted in one gray
    in both images. The mean is over the whole image: that of the background alone, or of a crop, would make a small
    background count as much as a large one, and an object's box is full of background. Positions near the object see
    some of the gray, alike in both.

    The paper does not state the network and the mask's rule. Raises ValueError for a mask without a background.
    """
    if bool((mask > 0.5).flatten(1).all(1).any()):
        raise ValueError("The mask covers a whole image, so that there is no background; mask the object only.")
    hidden = [torch.where(mask[:, None] > 0.5, HIDDEN, images) * 2 - 1 for images in (output, structure)]
    return distance.with_positions(*hidden)


def background_change(output: Tensor, structure: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference (0 to 1) of two images [..., H, W, 3] in 0..1 outside the object, one per image.

    mask: [..., H, W], 1 on the object. An image that is all object has no background to change (0).
    """
    outside = (mask <= 0.5).to(output)
    difference = (output - structure).abs().mean(-1)
    return (difference * outside).sum((-2, -1)) / outside.sum((-2, -1)).clamp(min=1)
