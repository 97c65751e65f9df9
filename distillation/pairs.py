"""A folder of pairs to learn from: pictures and their edits, with a manifest that grows by one line per pair.

A collection can stop at any moment, and several processes may collect into one folder. A line is written after both of
its pictures, so what it names is there; pictures without a line are written over.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..storage.whole_file import reasons_told, write_whole
from .pair_manifest import MANIFEST, Pair, open_manifest, read_manifest
from .pair_picture import as_png, read_picture


class PairFolder:
    """The pairs of a folder. It need not exist before the first pair is added; several processes may add to it.

    Raises ValueError for a manifest that somebody has damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._take_over(read_manifest(folder / MANIFEST))

    def __len__(self) -> int:
        return len(self.pairs)

    def knows(self, before: Tensor) -> bool:
        """Whether there is an edit of this picture [H, W, 3] in 0..1 already."""
        return _digest(_pixels(before)) in self.sources

    def add(
        self, before: Tensor, after: Tensor, overlap: float | None = None, gain: float | None = None
    ) -> Pair | None:
        """Keep a pair of pictures [H, W, 3] in 0..1, as 8-bit PNG. When this returns, it will not be lost.

        None where another process has kept an edit of this picture in the meantime. Raises NotWritten where the disk
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
            pair = Pair(number, f"{number:05}_before.png", f"{number:05}_after.png", source, overlap, gain)
            for name, picture in ((pair.before, pixels), (pair.after, _pixels(after))):
                write_whole(self.folder / name, as_png(picture))
            manifest.add(pair)
        self._take_over([*self.pairs, pair])
        return pair

    def load(self, pair: Pair, size: int) -> Tensor:
        """Both pictures of a pair as squares of `size` pixels: [2, 3, S, S] uint8.

        Raises ValueError for a picture that is missing, damaged, too large, or smaller than the square.
        """
        return torch.cat([self._picture(name, size) for name in (pair.before, pair.after)])

    def _take_over(self, pairs: list[Pair]) -> None:
        self.pairs = pairs
        self.sources = {pair.source for pair in pairs}

    def _picture(self, name: str, size: int) -> Tensor:
        try:
            pixels = read_picture(self.folder / name)
        except ValueError as error:
            raise ValueError(
                f"The picture {name!r} of the edit pairs {self.folder.name!r} {error}. Put it back, or delete its line "
                f"from {MANIFEST}."
            ) from error
        height, width, _ = pixels.shape
        if min(width, height) < size:
            raise ValueError(
                f"The edit pairs {self.folder.name!r} have a picture of {width} x {height} pixels ({name}), too small "
                f"for an editor of {size}; choose a smaller size, or collect larger pictures."
            )
        picture = as_squares(pixels.movedim(-1, 0)[None].float() / 255, size)
        return (picture * 255).round().to(torch.uint8)


@dataclass(frozen=True)
class Dataset:
    """Pairs to learn from, or to be judged by. before, after: [N, 3, S, S] uint8."""

    before: Tensor
    after: Tensor

    def __len__(self) -> int:
        return len(self.before)

    def __getitem__(self, which: slice) -> Dataset:
        return Dataset(self.before[which], self.after[which])


def as_squares(pictures: Tensor, size: int) -> Tensor:
    """[B, 3, H, W] in 0..1 -> [B, 3, size, size]; what is not square is squeezed, as the paper does with photos."""
    return resized(pictures, (size, size))


def resized(pictures: Tensor, sides: tuple[int, int]) -> Tensor:
    """[B, 3, H, W] around 0..1 -> [B, 3, *sides] in 0..1, by antialiased bicubic."""
    if pictures.shape[-2:] != sides:
        pictures = F.interpolate(pictures, size=sides, mode="bicubic", antialias=True)
    return pictures.clamp(0, 1)


def _pixels(picture: Tensor) -> Tensor:
    """[H, W, 3] in 0..1 -> uint8."""
    return (picture.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()


def _digest(pixels: Tensor) -> str:
    return hashlib.sha256(str(tuple(pixels.shape)).encode("ascii") + pixels.numpy().tobytes()).hexdigest()
