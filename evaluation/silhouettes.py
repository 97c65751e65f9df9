"""Did the output keep the shape of the structure picture?

The pocket world paints coats in saturated or dark colours and backgrounds in pale, dull ones (pocket/scene.py), so an
animal is found in any picture of it without a segmenter: against the truth, IoU 0.97 on rendered scenes.
"""

from torch import Tensor

CHROMA = 0.20  # largest minus smallest channel; 99 % of the background's pixels stay below
BRIGHTNESS = 0.35  # mean of the channels; 99.9 % of the background's pixels stay above


def silhouette(image: Tensor) -> Tensor:
    """Where the animal of a pocket picture is: bool [..., H, W] from image [..., H, W, 3] in 0..1."""
    chroma = image.amax(-1) - image.amin(-1)
    return (chroma > CHROMA) | (image.mean(-1) < BRIGHTNESS)


def intersection_over_union(found: Tensor, true: Tensor) -> Tensor:
    """IoU of two bool masks [..., H, W], in 0..1; two empty masks agree (1)."""
    union = (found | true).sum((-2, -1))
    shared = (found & true).sum((-2, -1))
    return (shared / union.clamp(min=1)).where(union > 0, 1.0)
