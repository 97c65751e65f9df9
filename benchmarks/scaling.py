"""How the cost of a transfer grows with the size of the images and with the number of references.

`python dev.py bench scaling [--sizes PX ...] [--references N ...]` writes results/scaling.csv and results/scaling.png:
U-Net evaluations, seconds and peak memory of one whole transfer in few steps on the pocket checkpoint, each in a fresh
process, as in official_cost.py. The reference loop knows one reference, and stands beside ours as long as one of its
attention maps stays below a GiB.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..pocket.unet import UNetConfig
from .measuring.fresh_process import in_fresh_process
from .official_cost import (
    CPU_SECONDS,
    EVALUATIONS,
    MEMORY,
    OURS,
    REFERENCE_CODE,
    SECONDS,
    SHORT,
    Case,
    in_words,
    measured,
)
from .reporting import RESULTS
from .reporting.curves import Panel, write_curves
from .reporting.table import write_rows

SIZES, REFERENCES = (256, 512, 768, 1024), (1, 2, 3, 4)
PLAIN_SIZE = 256
"""Pixels at which the number of references grows."""
BY_SIZE, BY_REFERENCES = "pixels per side", "references"
MEASURES = (EVALUATIONS, SECONDS, CPU_SECONDS, MEMORY)
SHORTEST = {"steps": 3, "start_at": 1, "first": 1}
"""One step that reads nothing and one that reads a reference, which is enough to see how cost grows with size."""
LARGEST_MAP = 2**30
IMAGES, FP32 = 3, 4
"""In the reference loop's batch, and the bytes of a number."""


class Point(NamedTuple):
    """One measurement: on which curve, whose, at which x, and what was found."""

    curve: str
    side: str
    x: int
    evaluations: float
    seconds: float
    cpu_seconds: float
    mib: float


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every point, write the table and the figure."""
    options = _options(arguments)
    points = []
    for curve, side, x, case, references in tasks(options.sizes, options.references):
        found = in_fresh_process(measured, installation.host, side, case, references)
        points.append(Point(curve, side, x, *(found[measure] for measure in MEASURES)))
        echo(f"{curve} = {x}, {side}: {in_words(found)}")
        _write(options.out, points)
    return 0


def _write(folder: Path, points: list[Point]) -> None:
    """Table and figure of what there is so far: the last points take longest."""
    lines = ((*point[:4], *(f"{value:.2f}" for value in point[4:])) for point in points)
    write_rows(folder / "scaling.csv", ("curve", "side", "x", *MEASURES), lines)
    write_curves(folder / "scaling.png", "One transfer in few steps on the pocket checkpoint", panels(points))


def tasks(sizes: list[int], references: list[int]) -> Iterator[tuple[str, str, int, Case, int]]:
    """(curve, side, x, case, number of references) of every point."""
    for size in sizes:
        positions = (size // 8) ** 2
        fits = IMAGES * UNetConfig().num_heads * positions**2 * FP32 < LARGEST_MAP
        for side in (REFERENCE_CODE, OURS) if fits else (OURS,):
            yield BY_SIZE, side, size, Case(size, **SHORTEST), 1
    for number in references:
        yield BY_REFERENCES, OURS, number, Case(PLAIN_SIZE, **SHORT), number


def panels(points: list[Point]) -> list[list[Panel]]:
    """A row per measure, a column per curve."""
    curves = dict.fromkeys(point.curve for point in points)
    measures = {"cpu_seconds": CPU_SECONDS, "mib": MEMORY}
    return [
        [Panel(curve, label, _lines(points, curve, measure), log=curve == BY_SIZE) for curve in curves]
        for measure, label in measures.items()
    ]


def _lines(points: list[Point], curve: str, measure: str) -> dict[str, list[tuple[float, float]]]:
    lines: dict[str, list[tuple[float, float]]] = {}
    for point in points:
        if point.curve == curve:
            lines.setdefault(point.side, []).append((point.x, getattr(point, measure)))
    return lines


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench scaling", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--sizes", type=int, nargs="*", default=SIZES, metavar="PX", help=f"pixels (default: {SIZES})")
    parser.add_argument("--references", type=int, nargs="*", default=REFERENCES, metavar="N", help="how many (1 to 4)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if any(size < 64 or size % 32 for size in options.sizes) or any(number < 1 for number in options.references):
        parser.error("--sizes must be multiples of 32 from 64 on, and --references 1 or more")
    return options
