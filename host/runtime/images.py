"""IMAGEs as the measures take them, and one at a time."""

from collections.abc import Iterator

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor


def as_images(image: Tensor, device: torch.device | None = None) -> Tensor:
    """IMAGE [B, H, W, 3 or 4] -> [B, 3, H, W], fp32, on the device, or where it is."""
    return image[..., :3].movedim(-1, 1).to(device, torch.float32)


def one_by_one(images: Tensor) -> Iterator[Tensor]:
    """Each image [1, ...], with the progress bar behind it, until the user interrupts."""
    progress = comfy.utils.ProgressBar(len(images))
    for index in range(len(images)):
        comfy.model_management.throw_exception_if_processing_interrupted()
        yield images[index : index + 1]
        progress.update_absolute(index + 1)


def pair_by_pair(first: Tensor, second: Tensor) -> Iterator[tuple[Tensor, Tensor]]:
    """Each of the first [1, ...] with its own of the second, or with the only one; as `one_by_one`."""
    yield from zip(one_by_one(first), second.expand(len(first), *second.shape[1:]).split(1), strict=True)
