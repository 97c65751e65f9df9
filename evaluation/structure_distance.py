"""Did the output keep the structure? The distance of what a ViT takes for alike in two images.

Named by pix2pix-zero (Parmar et al., SIGGRAPH 2023, table 1) after Splice's structure loss (Tumanyan et al. 2022,
eq. 5). Its code was not published; this is what the same author's later code computes (img2img-turbo, dino_struct),
with DINO ViT-B/8 and its last block. Other ViTs, other blocks and other resizing give other numbers.
"""

from __future__ import annotations

from typing import Literal

from torch import Tensor

from ..vit.preprocess import normalize_imagenet, pillow_resized, vit_input
from ..vit.self_similarity import self_similarity
from ..vit.vit import VisionTransformer
from .metric_result import check_count

Resizing = Literal["pillow", "tensor"]


def structure_distance(
    vit: VisionTransformer, output: Tensor, structure: Tensor, *, layer: int = -1, resizing: Resizing = "pillow"
) -> Tensor:
    """Mean squared difference of the two self-similarities of keys, one per pair [B]; 0 is the same structure.

    output: [B, 3, H, W] in 0..1; structure: the same, or one image for all. resizing to a shorter side of 224:
    "pillow" as the published code, in 8 bits with antialiasing; "tensor" as Splice's loss, without it, differentiable,
    and at most 480 on the longer side.

    Raises ValueError for another number of images, and for images of another shape, whose patches are not the same.
    """
    check_count(output, structure, "structure image")
    inputs = [_resized(images, resizing) for images in (output, structure)]
    if inputs[0].shape[1:] != inputs[1].shape[1:]:
        (a, b), (c, d) = output.shape[-2:], structure.shape[-2:]
        raise ValueError(
            f"The output has {b} x {a} pixels and the structure image {d} x {c}: their shapes differ, and with them "
            "the patches to compare. Resize or crop one to the other."
        )
    mine, expected = (self_similarity(vit.forward_features(images, layer).keys) for images in inputs)
    return (mine - expected).square().mean(dim=(1, 2))


def _resized(images: Tensor, resizing: Resizing) -> Tensor:
    return normalize_imagenet(pillow_resized(images)) if resizing == "pillow" else vit_input(images)
