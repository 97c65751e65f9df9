"""Does the pack behave as promised when files, inputs, processes and disks do not?

`python dev.py bench reliability [--only PART ...] [--count N] [--seed S]` tries thousands of seeded cases and writes
results/reliability.csv: per part and kind of case, how many were tried and how many did not behave as promised. Those
are said as they come, with what is needed to try them again. The parts are in benchmarks/faults, one module each. Lines
of parts that were not run stay. Ends with 1 where anything failed.
"""

from __future__ import annotations

import argparse
import csv
from collections import Counter
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .faults.files import files
from .faults.inputs import inputs
from .faults.interrupts import interrupts
from .faults.part import Part, Result, Setting
from .faults.saving import saving
from .faults.soak import soak
from .reporting import RESULTS
from .reporting.table import write_rows

COLUMNS = ("part", "kind", "tried", "failures")
Row = tuple[str, str, int, int]


class Planned(NamedTuple):
    """A part, and about how many cases of it the report shows."""

    part: Part
    count: int


PARTS: dict[str, Planned] = {
    "files": Planned(files, 10_000),
    "saving": Planned(saving, 2_000),
    "inputs": Planned(inputs, 3000),
    "interrupts": Planned(interrupts, 150),
    "soak": Planned(soak, 300),
}


def main(installation: Installation, arguments: list[str]) -> int:
    """Run the parts, write the table, say it."""
    options = _options(arguments)
    names = options.only or list(PARTS)
    rows: list[Row] = []
    with temporary_home() as home:
        for name in names:
            part, count = PARTS[name]
            rows += table(name, part(Setting(installation.host, home, options.count or count, options.seed)))
    path = options.out / "reliability.csv"
    earlier = [row for row in _earlier(path) if row[0] not in names]
    order = list(PARTS)
    write_rows(path, COLUMNS, sorted([*earlier, *rows], key=lambda row: order.index(row[0])), rows_stay=bool(earlier))
    for row in rows:
        echo("  ".join(map(str, row)))
    return 1 if any(failures for *_, failures in rows) else 0


def table(name: str, results: Iterable[Result]) -> list[Row]:
    """A line per kind of case, in the order of the names; failures are said as they come."""
    tried: Counter[str] = Counter()
    failures: Counter[str] = Counter()
    for result in results:
        tried[result.kind] += 1
        if result.failure:
            failures[result.kind] += 1
            echo(f"{name}, {result.kind}: {result.failure}")
    return [(name, kind, tried[kind], failures[kind]) for kind in sorted(tried)]


def _earlier(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="ascii") as file:
        _, *lines = csv.reader(file)
    return [(part, kind, int(tried), int(failures)) for part, kind, tried, failures in lines if part in PARTS]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench reliability", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=f"of: {', '.join(PARTS)} (all)")
    parser.add_argument("--count", type=int, metavar="N", help="about how many cases per part (default: as reported)")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="of everything that is drawn (default: 0)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    options = parser.parse_args(arguments)
    if options.count is not None and options.count < 1:
        parser.error("--count must be 1 or more")
    return options
