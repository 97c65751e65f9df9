"""PF-WILLOW (Ham et al., CVPR 2016): photographs of things of one kind, with the same ten keypoints in each."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import permutations
from pathlib import Path

from scipy.io import loadmat
from torch import Tensor

from ...correspondence.points import Point
from . import WILLOW, photograph


@dataclass(frozen=True)
class Annotated:
    """A photograph [1, 3, H, W] in 0..1 and its keypoints (x, y) in pixels."""

    image: Tensor
    points: list[Point]


def classes() -> dict[str, list[Annotated]]:
    """The photographs of every class that is there, in the order of their files."""
    folders = sorted(path for path in WILLOW.iterdir() if path.is_dir())
    return {folder.name.removesuffix("(S)"): [_annotated(path) for path in _files(folder)] for folder in folders}


def pairs(number: int) -> Iterator[tuple[int, int]]:
    """Which photographs of a class of so many are compared: each with each other one, both ways round."""
    return permutations(range(number), 2)


def _files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.png"))


def _annotated(path: Path) -> Annotated:
    """MATLAB counts centers of pixels from 1, we count from the edge of the image: half a pixel less."""
    image = photograph(path)
    height, width = image.shape[-2:]
    x, y = loadmat(path.with_suffix(".mat"))["pts_coord"] - 0.5
    return Annotated(image, list(zip(x.clip(0, width - 1).tolist(), y.clip(0, height - 1).tolist(), strict=True)))
