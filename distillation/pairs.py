"""A folder of pairs to learn from: images and their edits, with a manifest that grows by one line per pair.

A collection can stop at any moment, and several processes may collect into one folder. A line is written after both of
its images, so what it names is there; images without a line are written over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..storage.atomic_write import atomic_write, reasons_told
from .pair_image import as_png, read_image
from .pair_manifest import MANIFEST, EditPair, open_manifest, read_manifest

COLLECTION = "pairs"
"""The name of a collection, unless told otherwise."""


class PairFolder:
    """The pairs of a folder. It need not exist before the first pair is added; several processes may add to it.

    torn: whether the last line of the manifest was cut off, so that its pair is lost.

    Raises ValueError for a manifest that somebody has damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        pairs, self.torn = read_manifest(folder / MANIFEST)
        self._take_over(pairs)

    def __len__(self) -> int:
        return len(self.pairs)

    def knows(self, before: Tensor) -> bool:
        """Whether there is an edit of this image [H, W, 3] in 0..1 already."""
        return _digest(_pixels(before)) in self.sources

    def add(
        self, before: Tensor, after: Tensor, overlap: float | None = None, gain: float | None = None
    ) -> EditPair | None:
        """Keep a pair of images [H, W, 3] in 0..1, as 8-bit PNG. When this returns, it will not be lost.

        None where another process has kept an edit of this image in the meantime. Raises NotWritten where the disk
        is full or the folder not ours to write.
        """
        pixels = _pixels(before)
        source = _digest(pixels)
        with reasons_told(self.folder.name):
            self.folder.mkdir(parents=True, exist_ok=True)
        with open_manifest(self.folder / MANIFEST) as manifest:
            self._take_over(manifest.pairs)
            if source in self.sources:
                return None
            number = max((pair.number for pair in self.pairs), default=0) + 1
            pair = EditPair(number, f"{number:05}_before.png", f"{number:05}_after.png", source, overlap, gain)
            for name, image in ((pair.before, pixels), (pair.after, _pixels(after))):
                atomic_write(self.folder / name, as_png(image))
            manifest.add(pair)
        self._take_over([*self.pairs, pair])
        return pair

    def load(self, pair: EditPair, size: int) -> Tensor:
        """Both images of a pair as squares of `size` pixels: [2, 3, S, S] uint8.

        Raises ValueError for an image that is missing, damaged, too large, or smaller than the square.
        """
        return torch.cat([self._image(name, size) for name in (pair.before, pair.after)])

    def _take_over(self, pairs: list[EditPair]) -> None:
        self.pairs = pairs
        self.sources = {pair.source for pair in pairs}

    def _image(self, name: str, size: int) -> Tensor:
        try:
            pixels = read_image(self.folder / name)
        except ValueError as error:
            raise ValueError(
                f"The image {name!r} of the edit pairs {self.folder.name!r} {error}. Put it back, or delete its line "
                f"from {MANIFEST}."
            ) from error
        height, width, _ = pixels.shape
        if min(width, height) < size:
            raise ValueError(
                f"The edit pairs {self.folder.name!r} have an image of {width} x {height} pixels ({name}), too small "
                f"for an editor of {size}; choose a smaller size, or collect larger images."
            )
        image = as_squares(pixels.movedim(-1, 0)[None].float() / 255, size)
        return (image * 255).round().to(torch.uint8)


@dataclass(frozen=True)
class Dataset:
    """Pairs to learn from, or to be judged by. before, after: [N, 3, S, S] uint8."""

    before: Tensor
    after: Tensor

    def __len__(self) -> int:
        return len(self.before)

    def __getitem__(self, which: slice) -> Dataset:
        return Dataset(self.before[which], self.after[which])


def as_squares(images: Tensor, size: int) -> Tensor:
    """[B, 3, H, W] in 0..1 -> [B, 3, size, size]; what is not square is squeezed, as the paper does with photos."""
    return resized(images, (size, size))


def resized(images: Tensor, sides: tuple[int, int]) -> Tensor:
    """[B, 3, H, W] around 0..1 -> [B, 3, *sides] in 0..1, by antialiased bicubic."""
    if images.shape[-2:] != sides:
        images = F.interpolate(images, size=sides, mode="bicubic", antialias=True)
    return images.clamp(0, 1)


def _pixels(image: Tensor) -> Tensor:
    """[H, W, 3] in 0..1 -> uint8."""
    return (image.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()


def _digest(pixels: Tensor) -> str:
    return hashlib.sha256(str(tuple(pixels.shape)).encode("ascii") + pixels.numpy().tobytes()).hexdigest()
