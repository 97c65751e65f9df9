"""Was everything but the object left alone?"""

from __future__ import annotations

from torch import Tensor


def background_change(output: Tensor, structure: Tensor, mask: Tensor) -> Tensor:
    """Mean absolute difference (0 to 1) of two pictures [..., H, W, 3] in 0..1 outside the object, one per picture.

    mask: [..., H, W], 1 on the object. A picture that is all object has no background to change (0).
    """
    outside = (mask <= 0.5).to(output)
    difference = (output - structure).abs().mean(-1)
    return (difference * outside).sum((-2, -1)) / outside.sum((-2, -1)).clamp(min=1)
