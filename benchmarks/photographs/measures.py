"""Every measure of evaluation/ that takes two images, with real networks behind it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...evaluation.color_histogram import hellinger_distance, rgb_uv_histogram
from ...evaluation.gram import gram_distance
from ...evaluation.overlap import intersection_over_union
from ...evaluation.perceptual import PerceptualDistance, load_lpips
from ...evaluation.structural_similarity import ssim
from ...evaluation.structure_distance import structure_distance
from ...inversion.quality import psnr
from ...vit.vit import VisionTransformer, load_vit
from ..real_weights import dino, lpips, mobile_sam, u2net

Measure = Callable[[Tensor, Tensor], Tensor]
"""(images [B, 3, H, W] in 0..1, another [1, 3, H, W] or as many) -> a number for each image [B]."""


@dataclass(frozen=True)
class Networks:
    """What the measures look through: VGG-16 with the heads of LPIPS, and DINOv2 ViT-S/14."""

    lpips: PerceptualDistance
    vit: VisionTransformer


def real_networks() -> Networks:
    """Fetched where they are not there yet. Raises Trouble where they cannot be had."""
    u2net.network()
    mobile_sam.network()
    return Networks(load_lpips(load_file(lpips.weights())), load_vit(load_file(dino.weights())))


def measures(networks: Networks) -> dict[str, Measure]:
    """Every measure by its name. The Gram distance is that of VGG-16, where papers take VGG-19."""
    return {
        "LPIPS": lambda found, true: networks.lpips(found * 2 - 1, true * 2 - 1),
        "Gram distance": lambda found, true: gram_distance(networks.lpips.backbone, found, true),
        "structure distance": lambda found, true: structure_distance(networks.vit, found, true, layer=dino.SOUND_LAYER),
        "color histogram distance": color_distance,
        "PSNR": lambda found, true: psnr(found, true.expand_as(found)),
        "SSIM": lambda found, true: ssim(found, true.expand_as(found)),
        "IoU of the foreground": overlap,
        "IoU of SAM masks": overlap_in_box,
    }


def color_distance(found: Tensor, true: Tensor) -> Tensor:
    expected = [rgb_uv_histogram(image) for image in true]
    histograms = [rgb_uv_histogram(image) for image in found]
    return torch.stack([hellinger_distance(one, expected[i % len(expected)]) for i, one in enumerate(histograms)])


def overlap(found: Tensor, true: Tensor) -> Tensor:
    """Of what U2-Net-P takes for the foreground."""
    ours, expected = (u2net.foreground(images) > 0.5 for images in (found, true))
    return intersection_over_union(ours, expected.expand_as(ours))


def overlap_in_box(found: Tensor, true: Tensor) -> Tensor:
    """Of what MobileSAM finds in one box in both images: the box around the foreground of the true one.

    With a box of its own, a degraded image would be measured by what U2-Net-P still finds in it.
    """
    boxes = foreground_boxes(true)
    ours, expected = masks_in_boxes(found, boxes * (len(found) // len(boxes))), masks_in_boxes(true, boxes)
    return intersection_over_union(ours, expected.expand_as(ours))


def foreground_boxes(images: Tensor) -> list[mobile_sam.Box]:
    """Around what U2-Net-P takes for the foreground of each image [B, 3, H, W]."""
    return [mobile_sam.box_around(mask) for mask in u2net.foreground(images) > 0.5]


def masks_in_boxes(images: Tensor, boxes: Sequence[mobile_sam.Box]) -> Tensor:
    """What MobileSAM finds in the box of each image [B, 3, H, W]: bool [B, H, W]."""
    seen = map(mobile_sam.embed, images.split(1))
    return torch.stack([one.in_box(box) > 0 for one, box in zip(seen, boxes, strict=True)])
