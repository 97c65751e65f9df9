"""The images of docs/gallery.md: every method on the same eight pairs, an edit of each structure by two words, and
how far one can go with the main parameters.

`python dev.py bench gallery [--anew] [--only SHEET ...]` makes them and writes docs/images/gallery_SHEET.jpg, with
part-color error and silhouette IoU below each image. Each is kept in out/gallery as soon as it is made: a run
that was stopped goes on where it was, and --anew makes all of them again. Nothing is chosen: the pairs are the first of
the held-out ones (seeds from 900000 on), and a series shows the first of them.
"""

from __future__ import annotations

import argparse
import time
from functools import partial
from pathlib import Path

import numpy as np
from PIL import Image
from tqdm import tqdm

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..developer.paths import OUT, ROOT
from ..pocket.render import render
from .hosts import in_hosts
from .panels.contents import COLUMNS, EDITED, EDITS, METHODS, PAIRS, SERIES, SIZE, Entry, entries
from .panels.kept import Kept, is_kept, keep, read
from .panels.scenes import edits, pairs
from .panels.sheet import Column, Panel, captioned_sheet

FOLDER, QUALITY = OUT / "gallery", 82  # of the JPEGs: 1.5 MB in all
SHEETS = (METHODS, EDITS, *(series.name for series in SERIES))


def main(installation: Installation, arguments: list[str]) -> int:
    """Make what is not there yet, and draw the sheets."""
    options = _options(arguments)
    chosen = [entry for entry in entries() if entry[0] in options.only]
    if missing := [entry for entry in chosen if options.anew or not is_kept(FOLDER, entry)]:
        in_hosts(installation.host, partial(_make, folder=FOLDER), missing, options.workers)
    for name in options.only:
        path = image_of(name)
        draw(name).save(path, quality=QUALITY, optimize=True)
        echo(f"Wrote {path.relative_to(ROOT).as_posix()}.")
    for entry in chosen:
        echo(f"{': '.join(entry)}: {read(FOLDER, entry)}")
    seconds = sum(read(FOLDER, entry).seconds for entry in chosen)
    echo(f"All of them took {seconds / 60:.1f} minutes of one process.")
    return 0


def image_of(sheet: str) -> Path:
    """Where a sheet is written."""
    return ROOT / "docs" / "images" / f"gallery_{sheet}.jpg"


def draw(sheet: str) -> Image.Image:
    """The sheet of this name, from the images that are kept."""
    if sheet == METHODS:
        return captioned_sheet([*_inputs(PAIRS), *(_column(label, (sheet, label)) for label in COLUMNS)])
    if sheet == EDITS:
        return captioned_sheet(_edits())
    (series,) = [one for one in SERIES if one.name == sheet]
    return captioned_sheet([*_inputs(1), *(_column(label, (sheet, label)) for label in series.labels)])


def _make(entry: Entry, bar: int, folder: Path) -> None:
    """Make and keep the images of one entry. Needs ComfyUI."""
    import torch

    from .panels.makers import make
    from .transfers.measures import measure

    began = time.monotonic()
    with torch.inference_mode():
        images, truth = make(entry)
    keep(folder, entry, images, measure(images, truth), time.monotonic() - began)
    tqdm.write(f"{', '.join(entry)}: {time.monotonic() - began:.0f} s")


def _inputs(number: int) -> list[Column]:
    """The images that go in."""
    return [
        Column(role, [Panel(image) for image in _rendered([getattr(pair, role) for pair in pairs()[:number]])])
        for role in ("structure", "appearance")
    ]


def _rendered(scenes: list) -> np.ndarray:
    return (render(scenes, SIZE).image * 255).round().byte().numpy()


def _column(name: str, entry: Entry) -> Column:
    return Column(name, _panels(read(FOLDER, entry)))


def _panels(kept: Kept) -> list[Panel]:
    numbers = zip(kept.images, kept.errors, kept.ious, strict=True)
    return [Panel(image, f"error {error:.2f}   IoU {iou:.2f}") for image, error, iou in numbers]


def _edits() -> list[Column]:
    """The structure above, the edited one below, a column for each edit. Without an error: another coat hardly moves
    the mean color of a part, which would be its unit.
    """
    structures, kept = _inputs(PAIRS)[0].panels, read(FOLDER, (EDITS, EDITED))
    columns = zip(edits(pairs()), structures, kept.images, kept.ious, strict=True)
    return [Column(edit.name, [before, Panel(after, f"IoU {iou:.2f}")]) for edit, before, after, iou in columns]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench gallery", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--anew", action="store_true", help="make the images again that are kept in out/gallery")
    parser.add_argument(
        "--only", nargs="+", default=SHEETS, choices=SHEETS, metavar="SHEET", help=f"of: {', '.join(SHEETS)} (all)"
    )
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes; chosen by the machine if 0")
    options = parser.parse_args(arguments)
    if options.workers < 0:
        parser.error("--workers must not be negative")
    return options
