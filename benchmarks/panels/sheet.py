"""A sheet of images with the numbers of each below it, large enough to be read on a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageDraw

from ...evaluation.comparison import in_lines

GAP, LINE, FONT, SMALL = 8, 34, 28, 24  # pixels
INK, PAPER = "black", "white"


@dataclass(frozen=True)
class Panel:
    """image: [H, W, 3], 0..255. below: one line."""

    image: np.ndarray
    below: str = ""


@dataclass(frozen=True)
class Column:
    """Panels below one another under a name, which breaks at its commas and where it is too wide."""

    name: str
    panels: Sequence[Panel]


def captioned_sheet(columns: Sequence[Column]) -> Image.Image:
    """All columns side by side; panels are of one size, and as many in each column."""
    height, width, _ = columns[0].panels[0].image.shape
    rows = len(columns[0].panels)
    names = [in_lines(column.name, width, FONT) for column in columns]
    heading = GAP + LINE * max(map(len, names))
    foot = LINE if any(panel.below for column in columns for panel in column.panels) else 0
    row_height = height + foot + GAP
    sheet = Image.new("RGB", (len(columns) * (width + GAP) - GAP, heading + rows * row_height - GAP), PAPER)
    pen = ImageDraw.Draw(sheet)
    for number, (column, lines) in enumerate(zip(columns, names, strict=True)):
        left = number * (width + GAP)
        middle = left + width // 2
        pen.multiline_text(
            (middle, heading // 2), "\n".join(lines), INK, anchor="mm", align="center", font_size=FONT, spacing=2
        )
        for row, panel in enumerate(column.panels):
            top = heading + row * row_height
            sheet.paste(Image.fromarray(panel.image), (left, top))
            pen.text((middle, top + height + foot // 2), panel.below, INK, anchor="mm", font_size=SMALL)
    return sheet
