"""Images as they are kept, each in a file of its own: so a run that was stopped goes on where it was."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from torch import Tensor

from .contents import Entry

ERROR, IOU = "part_color_error", "silhouette_iou"


@dataclass(frozen=True)
class Kept:
    """images: [B, H, W, 3], 0..255. errors, ious: of each. seconds: what making them took."""

    images: np.ndarray
    errors: Sequence[float]
    ious: Sequence[float]
    seconds: float

    def __str__(self) -> str:
        errors, ious = np.mean(self.errors), np.mean(self.ious)
        return f"error {errors:.3f}, IoU {ious:.3f}, mean of {len(self.images)}; {self.seconds:.0f} s"


def is_kept(folder: Path, entry: Entry) -> bool:
    return _file(folder, entry).is_file()


def keep(folder: Path, entry: Entry, images: Tensor, measures: Mapping[str, list[float]], seconds: float) -> None:
    """images: [B, H, W, 3] in 0..1. A file is whole or not there."""
    folder.mkdir(parents=True, exist_ok=True)
    pixels = (images * 255).round().clamp(0, 255).byte().numpy()
    path = _file(folder, entry)
    unfinished = path.with_suffix(".part.npz")
    np.savez_compressed(unfinished, images=pixels, errors=measures[ERROR], ious=measures[IOU], seconds=seconds)
    unfinished.replace(path)


def read(folder: Path, entry: Entry) -> Kept:
    with np.load(_file(folder, entry)) as held:
        return Kept(held["images"], held["errors"].tolist(), held["ious"].tolist(), float(held["seconds"]))


def _file(folder: Path, entry: Entry) -> Path:
    return folder / (re.sub(r"\W+", "_", " ".join(entry)) + ".npz")
