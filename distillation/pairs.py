"""A folder of pairs to learn from: pictures and their edits, with a manifest that grows by one line per pair.

A collection can stop at any moment. A line is written after both of its pictures, so what it names is there; a line
that was cut off is dropped when the next pair comes, and pictures without a line are written over.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F  # noqa: N812
from PIL import Image
from torch import Tensor

from ..storage.whole_file import write_whole

MANIFEST = "pairs.jsonl"


@dataclass(frozen=True)
class Pair:
    """One line of the manifest.

    before, after: names of the pictures. source: digest of the picture before its edit, by which it is known again.
    overlap: IoU of the object's masks. gain: how much nearer the edit is to its text. None where not measured.
    """

    number: int
    before: str
    after: str
    source: str
    overlap: float | None = None
    gain: float | None = None


class PairFolder:
    """The pairs of a folder. It need not exist before the first pair is added.

    Raises ValueError for a manifest that somebody has damaged.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.pairs = list(_read(folder / MANIFEST))
        self.sources = {pair.source for pair in self.pairs}

    def __len__(self) -> int:
        return len(self.pairs)

    def knows(self, before: Tensor) -> bool:
        """Whether there is an edit of this picture [H, W, 3] in 0..1 already."""
        return _digest(_pixels(before)) in self.sources

    def add(self, before: Tensor, after: Tensor, overlap: float | None = None, gain: float | None = None) -> Pair:
        """Keep a pair of pictures [H, W, 3] in 0..1, as 8-bit PNG. When this returns, it will not be lost."""
        number = self.pairs[-1].number + 1 if self.pairs else 1
        pixels = _pixels(before)
        pair = Pair(number, f"{number:05}_before.png", f"{number:05}_after.png", _digest(pixels), overlap, gain)
        self.folder.mkdir(parents=True, exist_ok=True)
        for name, picture in ((pair.before, pixels), (pair.after, _pixels(after))):
            write_whole(self.folder / name, _png(picture))
        _append(self.folder / MANIFEST, json.dumps(asdict(pair)))
        self.pairs.append(pair)
        self.sources.add(pair.source)
        return pair

    def load(self, pair: Pair, size: int) -> Tensor:
        """Both pictures of a pair as squares of `size` pixels: [2, 3, S, S] uint8.

        Raises ValueError for a picture that is missing, damaged, or smaller than the square.
        """
        return torch.cat([self._picture(name, size) for name in (pair.before, pair.after)])

    def _picture(self, name: str, size: int) -> Tensor:
        try:
            with Image.open(self.folder / name) as image:
                pixels = torch.from_numpy(np.array(image.convert("RGB")))
        except OSError as error:
            raise ValueError(
                f"The picture {name!r} of the edit pairs {self.folder.name!r} is missing or damaged. Put it back, or "
                f"delete its line from {MANIFEST}."
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


def _read(manifest: Path) -> Iterator[Pair]:
    if not manifest.is_file():
        return
    *lines, _ = manifest.read_bytes().split(b"\n")  # what follows the last line's end is empty, or was cut off
    for number, line in enumerate(lines, start=1):
        try:
            yield Pair(**json.loads(line))
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"Line {number} of {MANIFEST} of the edit pairs {manifest.parent.name!r} is damaged ({error}). Delete "
                "the line, or collect under another name."
            ) from error


def _append(manifest: Path, line: str) -> None:
    """Add a line after the last whole one, and wait until it is on the disk."""
    with manifest.open("ab") as file:
        file.truncate(_end_of_last_line(manifest))
        file.write(line.encode("ascii") + b"\n")
        file.flush()
        os.fsync(file.fileno())


def _end_of_last_line(manifest: Path) -> int:
    return manifest.read_bytes().rfind(b"\n") + 1


def _pixels(picture: Tensor) -> Tensor:
    """[H, W, 3] in 0..1 -> uint8."""
    return (picture.detach().clamp(0, 1) * 255).round().to(torch.uint8).cpu()


def _digest(pixels: Tensor) -> str:
    return hashlib.sha256(str(tuple(pixels.shape)).encode("ascii") + pixels.numpy().tobytes()).hexdigest()


def _png(pixels: Tensor) -> bytes:
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "PNG")
    return file.getvalue()
