"""Measuring on photographs. Those of the shared data lie beside the repository and are no part of it: what shows them
goes to out/. Two lie here and may be shown: raccoon.jpg, a part of `scipy.misc.face` (Judy Weggelaar, public domain),
and cat.jpg, a part of `skimage.data.chelsea` (Stefan van der Walt, CC0).
"""

from pathlib import Path

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...developer.paths import ROOT
from ...vit.preprocess import pillow_resized

FREE = Path(__file__).parent
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
