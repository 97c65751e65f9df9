"""What the evaluation nodes measure: each image of a batch against its own counterpart, or against the only one."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ...evaluation.background import background_lpips
from ...evaluation.color_histogram import hellinger_distance, histogram_image, rgb_uv_histogram
from ...evaluation.gram import gram_distance
from ...evaluation.heat_map import heat_map
from ...evaluation.masks import mask_per_image
from ...evaluation.metric_result import MetricResult, check_count, check_size
from ...evaluation.overlap import intersection_over_union, overlap_image
from ...evaluation.structural_similarity import WINDOW, ssim_positions
from ...inversion.quality import psnr
from ..runtime.images import as_images, one_by_one, pair_by_pair
from ..runtime.model_runner import to_intermediate
from .perceptual import PerceptualNetwork

ENLARGED = 4  # pixels of the image of a histogram per bin


def mask_overlaps(output: Tensor, structure: Tensor) -> tuple[MetricResult, Tensor]:
    """IoU of MASKs [B, H, W], cut at one half, and where they differ, IMAGE."""
    check_count(output, structure, "structure mask")
    check_size(output, structure, "structure mask")
    found, true = output > 0.5, (structure > 0.5).expand(len(output), -1, -1)
    remarks = [_emptiness(bool(a.any()), bool(b.any())) for a, b in zip(found, true, strict=True)]
    values = intersection_over_union(found, true).tolist()
    return MetricResult(values, "IoU of masks cut at one half", remarks), overlap_image(found, true)


def gram_distances(network: PerceptualNetwork, output: Tensor, appearance: Tensor) -> MetricResult:
    """Of IMAGEs of any sizes."""
    check_count(output, appearance, "appearance image")
    backbone = network.backbone()
    pairs = pair_by_pair(*(as_images(image, network.device) for image in (output, appearance)))
    values = [gram_distance(backbone, mine, expected).item() for mine, expected in pairs]
    return MetricResult(values, f"Gram distance, the first layer of each block of {network}")


def background_lpips_of(
    network: PerceptualNetwork, output: Tensor, structure: Tensor, mask: Tensor | None = None
) -> tuple[MetricResult, Tensor]:
    """LPIPS of IMAGEs of one size outside of a MASK, and where it is, IMAGE. Without a mask of everything."""
    mine, expected = (as_images(image, network.device) for image in (output, structure))
    check_count(mine, expected, "structure image")
    check_size(mine, expected, "structure image")
    size = mine.shape[-2:]
    hidden = torch.zeros(1, *size) if mask is None else mask
    hidden = mask_per_image(hidden.to(network.device), len(mine), size)
    distance = network.distance()
    found = [
        background_lpips(distance, *pair, hidden[index : index + 1])
        for index, pair in enumerate(pair_by_pair(mine, expected))
    ]
    values, positions = (torch.cat(parts) for parts in zip(*found, strict=True))
    where = "of the whole image" if mask is None else "outside of the mask"
    remarks = ["" if mask is None or (one > 0.5).any() else "the mask is empty" for one in hidden]
    measured = MetricResult(values.tolist(), f"LPIPS by {network}, {where}", remarks)
    return measured, to_intermediate(heat_map(positions))


def color_histogram_distances(
    output: Tensor, appearance: Tensor, output_mask: Tensor | None = None, appearance_mask: Tensor | None = None
) -> tuple[MetricResult, Tensor]:
    """Of IMAGEs of any sizes, inside of MASKs where given; and the histograms side by side, IMAGE."""
    check_count(output, appearance, "appearance image")
    mine, expected = _histograms(output, output_mask), _histograms(appearance, appearance_mask)
    expected = expected * (len(mine) if len(expected) == 1 else 1)
    pairs = list(zip(mine, expected, strict=True))
    values = [hellinger_distance(a, b).item() for a, b in pairs]
    drawn = torch.stack([torch.cat([histogram_image(a), histogram_image(b)], dim=1) for a, b in pairs])
    inside = "inside of the masks" if output_mask is not None or appearance_mask is not None else "of all pixels"
    enlarged = drawn.repeat_interleave(ENLARGED, dim=1).repeat_interleave(ENLARGED, dim=2)
    return MetricResult(values, f"Hellinger distance of RGB-uv histograms, {inside}"), enlarged


def reconstruction_quality(output: Tensor, original: Tensor) -> tuple[MetricResult, MetricResult, Tensor]:
    """PSNR in dB and SSIM of IMAGEs of one size, and where SSIM is lost, IMAGE."""
    mine, expected = as_images(output), as_images(original)
    check_count(mine, expected, "original")
    check_size(mine, expected, "original")
    expected = expected.expand(len(mine), -1, -1, -1)
    positions = torch.cat([ssim_positions(*pair) for pair in pair_by_pair(mine, expected)])
    lost = F.pad(1 - positions.mean(1), [WINDOW // 2] * 4)
    return (
        MetricResult(psnr(mine, expected).tolist(), "PSNR in dB, of all channels and pixels together"),
        MetricResult(positions.mean((1, 2, 3)).tolist(), "SSIM, mean over the color channels and all whole windows"),
        heat_map(lost.float()),
    )


def _histograms(batch: Tensor, mask: Tensor | None) -> list[Tensor]:
    images = as_images(batch)
    masks: Sequence[Tensor | None] = [None] * len(images)
    if mask is not None:
        masks = list(mask_per_image(mask, len(images), images.shape[-2:]))
    return [rgb_uv_histogram(image[0], one) for image, one in zip(one_by_one(images), masks, strict=True)]


def _emptiness(found: bool, true: bool) -> str:
    if found and true:
        return ""
    if not found and not true:
        return "both masks are empty"
    return "the structure mask is empty" if found else "the output mask is empty"
