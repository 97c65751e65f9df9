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

    output, structure: [B, 3, H, W] in 0..1. mask: [B, H, W], above one half on the object, which is painted in one grey
    in both pictures. The mean is over the whole picture: that of the background alone, or of a crop, would make a small
    background count as much as a large one, and an object's box is full of background. Places near the object see some
    of the grey, alike in both.

    The paper does not state the network and the mask's rule. Raises ValueError for a mask without a background.
    """
    if bool((mask > 0.5).flatten(1).all(1).any()):
        raise ValueError("The mask covers a whole picture, so that there is no background; mask the object only.")
    hidden = [torch.where(mask[:, None] > 0.5, HIDDEN, pictures) * 2 - 1 for pictures in (output, structure)]
    return distance.with_places(*hidden)


def background_change(output: Tensor, structure: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference (0 to 1) of two pictures [..., H, W, 3] in 0..1 outside the object, one per picture.

    mask: [..., H, W], 1 on the object. A picture that is all object has no background to change (0).
    """
    outside = (mask <= 0.5).to(output)
    difference = (output - structure).abs().mean(-1)
    return (difference * outside).sum((-2, -1)) / outside.sum((-2, -1)).clamp(min=1)
