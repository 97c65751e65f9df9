"""A sheet of pictures: a row per case, a column per method, names above."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .origin import note

GAP = 4
HEADING = 40


def write_sheet(path: Path, columns: Mapping[str, Tensor], scale: int = 1) -> None:
    """columns: name -> pictures [B, H, W, 3] in 0..1, the same B and size in each. scale: whole enlargement."""
    count, height, width, _ = next(iter(columns.values())).shape
    across, down = width * scale + GAP, height * scale + GAP
    sheet = Image.new("RGB", (across * len(columns), HEADING + down * count), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (name, pictures) in enumerate(columns.items()):
        middle = (column * across + width * scale // 2, HEADING // 2)
        pen.multiline_text(middle, name.replace(", ", ",\n"), "black", anchor="mm", align="center")
        pixels = (pictures.clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu().numpy()
        for row in range(count):
            picture = Image.fromarray(pixels[row]).resize((width * scale, height * scale), Image.Resampling.NEAREST)
            sheet.paste(picture, (column * across, HEADING + row * down))
    path.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(path, optimize=True)
    note(path)
