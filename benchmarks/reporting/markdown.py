"""Result files as Markdown."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from .section import Table
from .table import COLUMNS

EMPTY = "-"


def table(path: Path, item: Table) -> str:
    """A CSV file as a table: a row per method and a column per metric where it has that form, else as it is.

    Without rows to show: nothing.
    """
    columns, lines = read_rows(path)
    if tuple(columns) != COLUMNS:
        return _drawn(columns, [[number(cell) for cell in line] for line in lines])
    rows = [line for line in lines if not item.methods or line[0].startswith(item.methods)]
    return by_method(rows, item.metrics)


def by_method(rows: Sequence[Sequence[str]], metrics: Sequence[str] = ()) -> str:
    """Lines of method, metric, mean, low, high, n: `mean [low, high]` by method and metric, and how many cases."""
    cells = {(method, metric): interval(*numbers) for method, metric, *numbers, _ in rows}
    cases: dict[str, list[str]] = {}
    for method, metric, *_, n in rows:
        if not metrics or metric in metrics:
            cases.setdefault(method, []).append(n)
    columns = metrics or list(dict.fromkeys(metric for _, metric, *_ in rows))
    body = [
        [method, *(cells.get((method, metric), EMPTY) for metric in columns), ", ".join(dict.fromkeys(counts))]
        for method, counts in cases.items()
    ]
    return _drawn(["method", *columns, "n"], body)


def interval(mean: str, low: str, high: str) -> str:
    """`mean [low, high]`, or the mean alone where the interval has no width."""
    return number(mean) if low == high else f"{number(mean)} [{number(low)}, {number(high)}]"


def number(cell: str) -> str:
    """A cell with as many digits as a reader needs; words and whole numbers as they are."""
    try:
        value = float(cell)
    except ValueError:
        return cell or EMPTY
    if value.is_integer():
        return f"{value:.0f}"
    if abs(value) < 0.1:
        return f"{value:.2g}"
    return f"{value:.{2 if abs(value) < 10 else 1 if abs(value) < 1000 else 0}f}"


def read_rows(path: Path) -> tuple[list[str], list[list[str]]]:
    """The columns of a CSV file, and its lines."""
    with path.open(newline="", encoding="utf-8") as file:
        columns, *lines = csv.reader(file)
    return columns, lines


def _drawn(columns: Sequence[str], lines: Sequence[Sequence[str]]) -> str:
    rows = [columns, ["---"] * len(columns), *lines] if lines else []
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in row)} |" for row in rows)
