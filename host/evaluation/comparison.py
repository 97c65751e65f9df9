"""Sheets of IMAGEs, and files that lie beside an image that ComfyUI has saved."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import folder_paths
import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...evaluation.comparison import Caption, comparison_sheet
from ...evaluation.grid_sheet import grid_sheet
from ...splice.augmentation import to_pillow
from ...storage.atomic_write import atomic_write
from ..runtime.images import as_images
from ..runtime.quoting import quoted

MOST_CHARACTERS = 100  # of a name; the number and the ending come on top


def as_sheet(images: Sequence[Tensor], captions: Sequence[Caption], tile: int) -> Tensor:
    """A column per IMAGE, which may be of any size, under its caption; a row per image of the batches. [1, H, W, 3].

    Raises ValueError for batches of different numbers; one image alone stands in every row.
    """
    rows = max(map(len, images))
    for image, about in zip(images, captions, strict=True):
        if len(image) not in (1, rows):
            raise ValueError(
                f"{about.name!r} has {len(image)} images where others have {rows}; connect batches of as many, or "
                "one image."
            )
    columns = {}
    for image, about in zip(images, captions, strict=True):
        drawn = _drawn(image)
        columns[about.name] = drawn * (rows // len(drawn))
    return _as_image(comparison_sheet(columns, (tile, tile), [about.lines() for about in captions]))


def as_grid(structures: Tensor, appearances: Tensor, outputs: Tensor, names: Sequence[str], tile: int) -> Tensor:
    """`grid_sheet` of IMAGEs, as an IMAGE [1, H, W, 3]."""
    return _as_image(grid_sheet(_drawn(structures), _drawn(appearances), _drawn(outputs), tile, names))


def _drawn(images: Tensor) -> list[Image.Image]:
    return [to_pillow(image) for image in as_images(images).split(1)]


def _as_image(sheet: Image.Image) -> Tensor:
    return torch.from_numpy(np.asarray(sheet, np.float32) / 255)[None]


def check_prefix(prefix: str) -> None:
    """Raise ValueError for a filename_prefix that is no name in the output folder, or in a folder of it."""
    parts = prefix.replace("\\", "/").split("/")
    if all(part.strip(". ") and part.isprintable() and len(part) <= MOST_CHARACTERS for part in parts):
        return
    raise ValueError(
        f"filename_prefix is {quoted(prefix)}, which is no name in the output folder. Use a name such as 'comparison', "
        "or 'folder/comparison' for a folder in it."
    )


def write_csv(saved: Mapping[str, str], table: str) -> Path:
    """Write a table under the name of an image in the output folder. saved: what ComfyUI says of the image."""
    folder = Path(folder_paths.get_output_directory()) / saved["subfolder"]
    path = (folder / saved["filename"]).with_suffix(".csv")
    atomic_write(path, table.encode())
    return path
