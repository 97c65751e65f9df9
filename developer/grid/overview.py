"""All results as one picture."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...evaluation.grid_sheet import grid_sheet
from .pairs import Picture

TILE, SMALLEST_TILE, WIDEST = 256, 32, 8192  # pixels


def write_overview(
    path: Path, structures: Sequence[Picture], appearances: Sequence[Picture], results: Sequence[Path | None]
) -> None:
    """Draw the grid; what is missing or cannot be read is grey. results: row by row."""
    tile = max(SMALLEST_TILE, min(TILE, WIDEST // (max(len(structures), len(appearances)) + 1)))
    shapes, looks = ([_seen(picture.path, tile) for picture in side] for side in (structures, appearances))
    names = [picture.name for picture in appearances]
    grid_sheet(shapes, looks, [_seen(result, tile) for result in results], tile, names).save(path)


def _seen(path: Path | None, tile: int) -> Image.Image:
    try:
        if path is not None:
            with Image.open(path) as picture:
                picture.thumbnail((tile, tile))
                return picture.convert("RGB")
    except OSError:
        pass  # drawn like one that is missing
    return Image.new("RGB", (tile, tile), "lightgrey")
