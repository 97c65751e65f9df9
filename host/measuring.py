"""What the evaluation nodes measure: each picture of a batch against its own counterpart, or against the only one."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..evaluation.background import background_lpips
from ..evaluation.colour_histogram import hellinger_distance, histogram_picture, rgb_uv_histogram
from ..evaluation.gram import gram_distance
from ..evaluation.heat_map import heat_map
from ..evaluation.masks import mask_per_picture
from ..evaluation.measured import Measured, check_count, check_size
from ..evaluation.overlap import intersection_over_union, overlap_picture
from ..evaluation.structural_similarity import WINDOW, ssim_places
from ..inversion.quality import psnr
from .container import to_intermediate
from .perceptual import PerceptualNetwork
from .pictures import as_pictures, one_by_one, pair_by_pair

ENLARGED = 4  # pixels of the picture of a histogram per bin


def mask_overlaps(output: Tensor, structure: Tensor) -> tuple[Measured, Tensor]:
    """IoU of MASKs [B, H, W], cut at one half, and where they differ, IMAGE."""
    check_count(output, structure, "structure mask")
    check_size(output, structure, "structure mask")
    found, true = output > 0.5, (structure > 0.5).expand(len(output), -1, -1)
    remarks = [_emptiness(bool(a.any()), bool(b.any())) for a, b in zip(found, true, strict=True)]
    values = intersection_over_union(found, true).tolist()
    return Measured(values, "IoU of masks cut at one half", remarks), overlap_picture(found, true)


def gram_distances(network: PerceptualNetwork, output: Tensor, appearance: Tensor) -> Measured:
    """Of IMAGEs of any sizes."""
    check_count(output, appearance, "appearance picture")
    backbone = network.backbone()
    pairs = pair_by_pair(*(as_pictures(image, network.device) for image in (output, appearance)))
    values = [gram_distance(backbone, mine, wanted).item() for mine, wanted in pairs]
    return Measured(values, f"Gram distance, the first layer of each block of {network}")


def background_lpips_of(
    network: PerceptualNetwork, output: Tensor, structure: Tensor, mask: Tensor | None = None
) -> tuple[Measured, Tensor]:
    """LPIPS of IMAGEs of one size outside of a MASK, and where it is, IMAGE. Without a mask of everything."""
    mine, wanted = (as_pictures(image, network.device) for image in (output, structure))
    check_count(mine, wanted, "structure picture")
    check_size(mine, wanted, "structure picture")
    size = mine.shape[-2:]
    hidden = torch.zeros(1, *size) if mask is None else mask
    hidden = mask_per_picture(hidden.to(network.device), len(mine), size)
    distance = network.distance()
    found = [
        background_lpips(distance, *pair, hidden[index : index + 1])
        for index, pair in enumerate(pair_by_pair(mine, wanted))
    ]
    values, places = (torch.cat(parts) for parts in zip(*found, strict=True))
    where = "of the whole picture" if mask is None else "outside of the mask"
    remarks = ["" if mask is None or (one > 0.5).any() else "the mask is empty" for one in hidden]
    measured = Measured(values.tolist(), f"LPIPS by {network}, {where}", remarks)
    return measured, to_intermediate(heat_map(places))


def colour_histogram_distances(
    output: Tensor, appearance: Tensor, output_mask: Tensor | None = None, appearance_mask: Tensor | None = None
) -> tuple[Measured, Tensor]:
    """Of IMAGEs of any sizes, inside of MASKs where given; and the histograms side by side, IMAGE."""
    check_count(output, appearance, "appearance picture")
    mine, wanted = _histograms(output, output_mask), _histograms(appearance, appearance_mask)
    wanted = wanted * (len(mine) if len(wanted) == 1 else 1)
    pairs = list(zip(mine, wanted, strict=True))
    values = [hellinger_distance(a, b).item() for a, b in pairs]
    drawn = torch.stack([torch.cat([histogram_picture(a), histogram_picture(b)], dim=1) for a, b in pairs])
    inside = "inside of the masks" if output_mask is not None or appearance_mask is not None else "of all pixels"
    enlarged = drawn.repeat_interleave(ENLARGED, dim=1).repeat_interleave(ENLARGED, dim=2)
    return Measured(values, f"Hellinger distance of RGB-uv histograms, {inside}"), enlarged


def reconstruction_quality(output: Tensor, original: Tensor) -> tuple[Measured, Measured, Tensor]:
    """PSNR in dB and SSIM of IMAGEs of one size, and where SSIM is lost, IMAGE."""
    mine, wanted = as_pictures(output), as_pictures(original)
    check_count(mine, wanted, "original")
    check_size(mine, wanted, "original")
    wanted = wanted.expand(len(mine), -1, -1, -1)
    places = torch.cat([ssim_places(*pair) for pair in pair_by_pair(mine, wanted)])
    lost = F.pad(1 - places.mean(1), [WINDOW // 2] * 4)
    return (
        Measured(psnr(mine, wanted).tolist(), "PSNR in dB, of all channels and pixels together"),
        Measured(places.mean((1, 2, 3)).tolist(), "SSIM, mean over the colour channels and all whole windows"),
        heat_map(lost.float()),
    )


def _histograms(image: Tensor, mask: Tensor | None) -> list[Tensor]:
    pictures = as_pictures(image)
    masks: Sequence[Tensor | None] = [None] * len(pictures)
    if mask is not None:
        masks = list(mask_per_picture(mask, len(pictures), pictures.shape[-2:]))
    return [rgb_uv_histogram(picture[0], one) for picture, one in zip(one_by_one(pictures), masks, strict=True)]


def _emptiness(found: bool, true: bool) -> str:
    if found and true:
        return ""
    if not found and not true:
        return "both masks are empty"
    return "the structure mask is empty" if found else "the output mask is empty"
