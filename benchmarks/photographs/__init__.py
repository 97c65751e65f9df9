"""Measuring on photographs, which lie beside the repository where a user has put them and are no part of it."""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...developer.paths import ROOT
from ...vit.preprocess import pillow_resized

IMAGES = ROOT.parent / "shared" / "data" / "pairs"
WILLOW = ROOT.parent / "shared" / "data" / "pf_willow"


def photograph(path: Path, side: int | None = None) -> Tensor:
    """[1, 3, H, W] in 0..1, with the shorter side at `side` pixels, or as it is."""
    pixels = torch.from_numpy(np.array(Image.open(path).convert("RGB")))
    image = pixels.permute(2, 0, 1)[None].float() / 255
    return image if side is None else pillow_resized(image, side)


def square(path: Path, side: int) -> Tensor:
    """[1, 3, side, side] in 0..1: the middle of a photograph."""
    image = photograph(path, side)
    top, left = (length - side for length in image.shape[-2:])
    return image[..., top // 2 :, left // 2 :][..., :side, :side]
