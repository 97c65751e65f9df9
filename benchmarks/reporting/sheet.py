"""A sheet of images: a row per case, a column per method, names above."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from torch import Tensor

from ...evaluation.comparison import comparison_sheet
from ...splice.augmentation import to_pillow
from .origin import note


def write_sheet(path: Path, columns: Mapping[str, Tensor], scale: int = 1, below: Sequence[Sequence[str]] = ()) -> None:
    """columns: name -> images [B, H, W, 3] in 0..1, the same B and size in each. scale: whole enlargement.

    below: lines under each column.
    """
    _, height, width, _ = next(iter(columns.values())).shape
    drawn = {name: [to_pillow(p) for p in images.movedim(-1, 1).split(1)] for name, images in columns.items()}
    sheet = comparison_sheet(drawn, (width * scale, height * scale), below)
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
    note(path)
