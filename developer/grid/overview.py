"""All results as one image."""

from collections.abc import Sequence
from pathlib import Path

from PIL import Image

from ...evaluation.grid_sheet import grid_sheet
from .pairs import GridImage

TILE, SMALLEST_TILE, WIDEST = 256, 32, 8192  # pixels


def write_overview(
    path: Path, structures: Sequence[GridImage], appearances: Sequence[GridImage], results: Sequence[Path | None]
) -> None:
    """Draw the grid; what is missing or cannot be read is gray. results: row by row."""
    tile = max(SMALLEST_TILE, min(TILE, WIDEST // (max(len(structures), len(appearances)) + 1)))
    shapes, appearance_tiles = ([_seen(image.path, tile) for image in side] for side in (structures, appearances))
    names = [image.name for image in appearances]
    grid_sheet(shapes, appearance_tiles, [_seen(result, tile) for result in results], tile, names).save(path)


def _seen(path: Path | None, tile: int) -> Image.Image:
    try:
        if path is not None:
            with Image.open(path) as image:
                image.thumbnail((tile, tile))
                return image.convert("RGB")
    except OSError:
        pass  # drawn like one that is missing
    return Image.new("RGB", (tile, tile), "lightgrey")
