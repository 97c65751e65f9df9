"""Every measure of evaluation/ that takes two pictures, with real networks behind it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from safetensors.torch import load_file
from torch import Tensor

from ...evaluation.colour_histogram import hellinger_distance, rgb_uv_histogram
from ...evaluation.gram import gram_distance
from ...evaluation.overlap import intersection_over_union
from ...evaluation.perceptual import PerceptualDistance, load_lpips
from ...evaluation.structural_similarity import ssim
from ...evaluation.structure_distance import structure_distance
from ...inversion.quality import psnr
from ...splice.vit import VisionTransformer, load_vit
from ..real_weights import dino, lpips, u2net

Measure = Callable[[Tensor, Tensor], Tensor]
"""(pictures [B, 3, H, W] in 0..1, another [1, 3, H, W] or as many) -> a number for each picture [B]."""
LIKENESS = ("PSNR", "SSIM", "IoU of the foreground")
"""Measures that are greatest where two pictures are the same; the others are then 0."""


@dataclass(frozen=True)
class Networks:
    """What the measures look through: VGG-16 with the heads of LPIPS, and DINOv2 ViT-S/14."""

    lpips: PerceptualDistance
    vit: VisionTransformer


def real_networks() -> Networks:
    """Fetched where they are not there yet. Raises Trouble where they cannot be had."""
    u2net.network()
    return Networks(load_lpips(load_file(lpips.weights())), load_vit(load_file(dino.weights())))


def measures(networks: Networks) -> dict[str, Measure]:
    """Every measure by its name. The Gram distance is that of VGG-16, where papers take VGG-19."""
    return {
        "LPIPS": lambda found, true: networks.lpips(found * 2 - 1, true * 2 - 1),
        "Gram distance": lambda found, true: gram_distance(networks.lpips.backbone, found, true),
        "structure distance": lambda found, true: structure_distance(networks.vit, found, true, layer=dino.SOUND_LAYER),
        "colour histogram distance": colour_distance,
        "PSNR": lambda found, true: psnr(found, true.expand_as(found)),
        "SSIM": lambda found, true: ssim(found, true.expand_as(found)),
        "IoU of the foreground": overlap,
    }


def colour_distance(found: Tensor, true: Tensor) -> Tensor:
    wanted = [rgb_uv_histogram(picture) for picture in true]
    histograms = [rgb_uv_histogram(picture) for picture in found]
    return torch.stack([hellinger_distance(one, wanted[i % len(wanted)]) for i, one in enumerate(histograms)])


def overlap(found: Tensor, true: Tensor) -> Tensor:
    """Of what U2-Net-P takes for the foreground."""
    ours, wanted = (u2net.foreground(pictures) > 0.5 for pictures in (found, true))
    return intersection_over_union(ours, wanted.expand_as(ours))
