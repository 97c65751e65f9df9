"""Images side by side to compare: a column per name, a row per image, the numbers below; and those as a table."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from PIL import Image, ImageDraw, ImageFont

TILE = 256
"""Pixels that an image is fitted into, unless told otherwise."""
GAP = 4
HEADING = 40
"""Height above the images, where no name needs more."""
FONT, LINE = 13, 18
BAR = "|"
TABLE = ("image", "measure", "value")


@dataclass(frozen=True)
class Caption:
    """What stands above a column, and the numbers below it, by what they measure."""

    name: str
    numbers: Mapping[str, float] = field(default_factory=dict)

    def lines(self) -> list[str]:
        return [f"{measure} {value:.4g}" for measure, value in self.numbers.items()]


def read_captions(text: str, columns: int, numbers: Sequence[float]) -> list[Caption]:
    """A line per column: its name and, after bars, what its numbers measure, as in "output | PSNR | IoU".

    numbers: in the order in which they are named. Raises ValueError where names and images, or names and numbers, are
    not as many, and for a name given twice.
    """
    lines = [[part.strip() for part in line.split(BAR)] for line in text.splitlines() if line.strip()]
    if len(lines) != columns:
        raise ValueError(
            f"There are {columns} images and {len(lines)} captions; write one line per image, such as "
            f"'output {BAR} PSNR {BAR} IoU'."
        )
    named = sum(len(measures) for _, *measures in lines)
    if named != len(numbers):
        raise ValueError(
            f"The captions name {named} numbers and {len(numbers)} are connected; name each after a bar, in the order "
            f"of the inputs, such as 'output {BAR} PSNR {BAR} IoU'."
        )
    for names in ([name for name, *_ in lines], *(measures for _, *measures in lines)):
        if len(set(names)) < len(names):
            raise ValueError(f"A name stands twice among {', '.join(names)}; give each another.")
    remaining = iter(numbers)
    return [Caption(name, {measure: next(remaining) for measure in measures}) for name, *measures in lines]


def comparison_sheet(
    columns: Mapping[str, Sequence[Image.Image]], tile: tuple[int, int], below: Sequence[Sequence[str]] = ()
) -> Image.Image:
    """columns: name -> images, as many in each. tile: width and height that each is fitted into, its shape kept.

    below: lines under each column. Names break at commas, and between words where they are wider than a tile.
    """
    width, height = tile[0] + GAP, tile[1] + GAP
    rows = max(map(len, columns.values()))
    names = [in_lines(name, tile[0]) for name in columns]
    heading = max(HEADING, GAP + LINE * max(map(len, names)))
    foot = heading + rows * height
    sheet = Image.new("RGB", (width * len(columns), foot + LINE * max(map(len, below), default=0)), "white")
    pen = ImageDraw.Draw(sheet)
    for column, (name, images) in enumerate(zip(names, columns.values(), strict=True)):
        left, middle = column * width, column * width + tile[0] // 2
        pen.multiline_text(
            (middle, heading // 2), "\n".join(name), "black", anchor="mm", align="center", font_size=FONT
        )
        for row, image in enumerate(images):
            fitted = _fitted(image, tile)
            x, y = (tile[0] - fitted.width) // 2, (tile[1] - fitted.height) // 2
            sheet.paste(fitted, (left + x, heading + row * height + y))
    for column, lines in enumerate(below):
        for number, line in enumerate(lines):
            position = (column * width + tile[0] // 2, foot + LINE * number + LINE // 2)
            pen.text(position, line, "black", anchor="mm", font_size=FONT)
    return sheet


def as_table(captions: Sequence[Caption]) -> str:
    """The numbers as CSV: image, measure, value."""
    table = io.StringIO()
    writer = csv.writer(table, lineterminator="\n")
    writer.writerow(TABLE)
    writer.writerows((about.name, measure, value) for about in captions for measure, value in about.numbers.items())
    return table.getvalue()


def in_lines(name: str, width: int, font_size: int = FONT) -> list[str]:
    """A name in lines that are no wider than `width` pixels, as far as its words allow; it breaks at commas."""
    font = ImageFont.load_default(font_size)
    lines = []
    for part in name.replace(", ", ",\n").split("\n"):
        line = ""
        for word in part.split():
            longer = f"{line} {word}".strip()
            if line and font.getlength(longer) > width:
                lines.append(line)
                longer = word
            line = longer
        lines.append(line)
    return lines


def _fitted(image: Image.Image, tile: tuple[int, int]) -> Image.Image:
    """As large as the tile allows: small images with their pixels, large ones smoothed."""
    scale = min(tile[0] / image.width, tile[1] / image.height)
    size = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    return image.resize(size, Image.Resampling.NEAREST if scale >= 1 else Image.Resampling.LANCZOS)
