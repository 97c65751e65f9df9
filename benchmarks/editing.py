"""Does pix2pix-zero edit what it is asked to, and nothing else? Pocket scenes that no training has seen.

`python dev.py bench editing [--scenes N] [--edits NAME ...] [--only NAME ...] [--editor FILE]` turns horses to cows,
plain coats to striped ones and red coats to blue ones, and writes results/editing_scenes.csv (every value of every
scene), results/editing.csv (means of them with 95 % bootstrap intervals) and a sheet of some of the images. The rows of
fewer steps are of 16 scenes. Methods that are not run keep the values that an earlier run has written. `--transformer`
is the same at 256 px on the pocket transformer, by methods of its own, into results/editing_transformer*.csv. `--speed
N --editor FILE` instead measures the time per image (results/editing_speed.csv).
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from itertools import count
from pathlib import Path

import torch
from torch import Tensor

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..pocket.render import render
from .edits.batches import Evaluations, Outputs, run_methods, run_on_transformer
from .edits.classifier import WEIGHTS, classifier_metadata, load_classifier
from .edits.measures import measure
from .edits.speed import seconds_per_image
from .edits.tasks import EDITS
from .reporting import RESULTS
from .reporting.cases import Cases, read_cases, write_cases
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table

DISPLAYED = 3
"""Scenes of every edit on the sheet."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every method, write the results, say the table."""
    options = _options(arguments)
    if options.speed:
        values = seconds_per_image(installation.host, options.editor, options.speed)
        write_table(options.out / "editing_speed.csv", values)
        echo(as_text(values))
        return 0
    edits = [edit for edit in EDITS if not options.edits or edit.name in options.edits]
    if any(edit.needs_classifier for edit in edits):
        load_classifier()  # first, since it may take minutes
    shared = installation.host, edits, options.scenes, options.only
    if options.transformer:
        outputs, counted = run_on_transformer(*shared, options.workers)
    else:
        outputs, counted = run_methods(*shared, options.editor, options.workers)
    name = "editing_transformer" if options.transformer else "editing"
    echo(as_text(write_results(options.out, name, measured(outputs, counted), outputs, options.sheet or name)))
    return 0


def measured(outputs: Outputs, counted: Evaluations) -> Cases:
    """Every measure of every method's outputs, by edit and method, and the evaluations of those that were counted."""
    classifier = load_classifier() if any(edit.needs_classifier for edit in outputs) else None
    values: Cases = {}
    for edit, of_edit in outputs.items():
        for name, images in of_edit.items():
            found = measure(edit, edit.scenes(len(images)), images, classifier)
            if name in counted[edit]:
                found["evaluations"] = [counted[edit][name]] * len(images)
            values[f"{edit.name}: {name}"] = found
    return values


def write_results(folder: Path, name: str, values: Cases, outputs: Outputs, sheet: str) -> Cases:
    """The values with those of earlier runs, the table of them all, which is returned, and the first images."""
    path = folder / f"{name}_scenes.csv"
    earlier = read_cases(path)
    every = _edit_by_edit(earlier | values)
    number = max(len(cases) for metrics in every.values() for cases in metrics.values())
    seeds = ((scene.seed for scene in edit.scenes(number)) for edit in EDITS)
    write_cases(path, ("scene", *(f"{edit.name} seed" for edit in EDITS)), zip(count(), *seeds), every)
    metadata = classifier_metadata() if WEIGHTS.is_file() else {}
    table = every | {f"judge, {kind} images": right for kind, right in metadata.items()}
    write_table(folder / f"{name}.csv", table, rows_stay=bool(earlier.keys() - values.keys()))
    write_sheet(folder / f"{sheet}.png", columns(outputs))
    return table


def _edit_by_edit(values: Cases) -> Cases:
    """The same with the methods of an edit next to one another, whenever they were run."""
    return {name: found for edit in EDITS for name, found in values.items() if name.startswith(f"{edit.name}: ")}


def columns(outputs: Outputs) -> dict[str, Tensor]:
    """The first images of every edit below one another, by method; white where a method is not for an edit."""
    names = dict.fromkeys(name for of_edit in outputs.values() for name in of_edit)
    below: dict[str, list[Tensor]] = {name: [] for name in ("image", *names)}
    for edit, of_edit in outputs.items():
        images = render(edit.scenes(min(DISPLAYED, *map(len, of_edit.values()))), width_of(of_edit)).image
        below["image"].append(images)
        for name in names:
            below[name].append(of_edit[name][:DISPLAYED] if name in of_edit else torch.ones_like(images))
    return {name: torch.cat(pieces) for name, pieces in below.items()}


def width_of(of_edit: Mapping[str, Tensor]) -> int:
    """Of the outputs."""
    return next(iter(of_edit.values())).shape[2]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench editing", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=32, metavar="N", help="scenes of every edit (default: 32)")
    names = [edit.name for edit in EDITS]
    parser.add_argument("--edits", nargs="+", choices=names, metavar="NAME", help=f"of: {', '.join(names)} (all)")
    parser.add_argument("--only", nargs="+", default=(), metavar="NAME", help="these methods alone; all if left out")
    parser.add_argument("--editor", type=Path, metavar="FILE", help="a distilled editor of `bench distil`, judged too")
    parser.add_argument("--workers", type=int, default=0, metavar="N", help="processes; chosen by the machine if 0")
    parser.add_argument("--sheet", metavar="NAME", help="name of the sheet (default: that of the table)")
    parser.add_argument("--transformer", action="store_true", help="on the pocket transformer, at 256 px")
    parser.add_argument("--speed", type=int, default=0, metavar="N", help="instead, time N images one by one")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if options.scenes < 1 or options.workers < 0 or options.speed < 0:
        parser.error("--scenes must be 1 or more, --workers and --speed not negative")
    if options.speed and not options.editor:
        parser.error("--speed compares with a distilled editor: give its file with --editor")
    if options.transformer and options.editor:
        parser.error("--editor is judged beside the U-Net's methods: leave --transformer out")
    if options.editor and not options.editor.is_file():
        parser.error(f"there is no file {options.editor}; `python dev.py bench distil` says where it keeps its editor")
    return options
