"""A grid of transfers as one image: structures on the left, appearances on top, and each pair where they meet."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image

from .comparison import comparison_sheet


def grid_sheet(
    structures: Sequence[Image.Image],
    appearances: Sequence[Image.Image],
    outputs: Sequence[Image.Image],
    tile: int,
    names: Sequence[str] = (),
) -> Image.Image:
    """outputs: all appearances on the first structure, then all on the second. tile: the side that each is fitted into.

    names: of the appearances; numbers from 1 where there are none. Raises ValueError where the outputs are not as many
    as the pairs, or the names as the appearances, and for a name given twice.
    """
    across = len(appearances)
    if len(outputs) != len(structures) * across:
        raise ValueError(
            f"{len(structures)} structures and {across} appearances make {len(structures) * across} pairs, but there "
            f"are {len(outputs)} outputs. Connect all images of the grid, and of both sides those it was made of."
        )
    names = names or [str(number) for number in range(1, across + 1)]
    if len(set(names)) != across:
        raise ValueError(f"There are {across} appearances and {len(set(names))} different names; give each its own.")
    corner = Image.new("RGB", (tile, tile), "white")
    columns = {"": [corner, *structures]}
    for column, name in enumerate(names):
        columns[name] = [appearances[column], *outputs[column::across]]
    return comparison_sheet(columns, (tile, tile))
