"""How near ours comes to the reference code: the tests that compare with golden tensors, and the differences they find.

`python dev.py bench parity [--only NAME ...]` runs the tests and writes results/parity.csv: a line per test with the
number of its comparisons and the largest difference, over the largest value. docs/parity.md says which limits they hold
and why. The loops need the full golden set (../shared/golden, or the folder that APPEARANCE_TRANSFER_GOLDEN names).
"""

from __future__ import annotations

import argparse
import csv
from pathlib import Path

import pytest

from ..developer.cli_output import CliError, echo
from ..developer.installation import Installation
from ..developer.paths import ROOT
from .golden_tests.recorder import Difference, Recorder
from .reporting import RESULTS
from .reporting.table import write_rows

SYSTEMS = {  # name -> folders and files of tests
    "operators": ("tests/attention", "tests/guidance", "tests/inversion", "tests/editing", "tests/golden"),
    "Cross-Image Attention": ("tests/host/test_parity_cross_image.py",),
    "Eye-for-an-eye": ("tests/host/test_parity_rearrangement.py",),
    "null-text inversion": ("tests/host/test_null_text.py",),
    "regularized DDIM inversion": ("tests/host/test_regularized_inversion.py",),
    "cross-attention guidance": ("tests/host/test_cross_attention_guider.py",),
    "Splice": ("tests/splice",),
}
COLUMNS = ("system", "test", "comparisons", "difference", "outcome")
Row = tuple[str, ...]


def main(installation: Installation, arguments: list[str]) -> int:
    """Run the tests, write the table with the rows of systems that were not run, say it."""
    options = _options(arguments)
    systems = options.only or list(SYSTEMS)
    recorder = Recorder()
    with recorder.listening():
        positions = [str(ROOT / position) for system in systems for position in SYSTEMS[system]]
        pytest.main(["-q", "--rootdir", str(ROOT), "-c", str(ROOT / "pyproject.toml"), *positions], plugins=[recorder])
    rows = table(recorder)
    if not rows:
        raise CliError("No test read a golden tensor.")
    path = options.out / "parity.csv"
    earlier = [row for row in _earlier(path) if row[0] not in systems]
    write_rows(
        path, COLUMNS, sorted([*earlier, *rows], key=lambda row: list(SYSTEMS).index(row[0])), rows_stay=bool(earlier)
    )
    for row in rows:
        echo("  ".join(row))
    return 0


def table(recorder: Recorder) -> list[Row]:
    """A line per test, by system."""
    return [(*_words(Path(file), test), *_metadata(found)) for (file, test), found in recorder.tests.items()]


def _words(file: Path, test: str) -> tuple[str, str]:
    """Whose test it is, and what it says."""
    position = file.resolve().relative_to(ROOT)
    system = next(name for name, positions in SYSTEMS.items() if any(position.is_relative_to(one) for one in positions))
    about, says = (name.removeprefix("test_").replace("_", " ") for name in (position.stem, test))
    return system, f"{about}: {says}"


def _metadata(found: Difference) -> Row:
    differences = found.differences
    return str(len(differences)), f"{max(differences):.1e}" if differences else "", found.outcome


def _earlier(path: Path) -> list[Row]:
    if not path.is_file():
        return []
    with path.open(newline="", encoding="ascii") as file:
        _, *rows = csv.reader(file)
    return [tuple(row) for row in rows]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench parity", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", choices=SYSTEMS, metavar="NAME", help=f"of: {', '.join(SYSTEMS)} (all)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    return parser.parse_args(arguments)
