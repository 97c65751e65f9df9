"""Result tables: method, metric, mean, low, high, n, with 95 % bootstrap intervals."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from ...evaluation.confidence import mean_interval
from .origin import note

COLUMNS = ("method", "metric", "mean", "low", "high", "n")
Values = Mapping[str, Mapping[str, Sequence[float]]]
"""method -> metric -> one value per case."""


def rows(values: Values) -> list[tuple[str, str, str, str, str, int]]:
    """The lines of the table, in the order of the methods and metrics."""
    table = []
    for method, metrics in values.items():
        for metric, cases in metrics.items():
            mean, low, high, n = mean_interval(cases)
            table.append((method, metric, f"{mean:.4f}", f"{low:.4f}", f"{high:.4f}", n))
    return table


def write_table(path: Path, values: Values, *, rows_stay: bool = False) -> None:
    """Write the table as CSV. rows_stay: rows of earlier runs are among the values."""
    write_rows(path, COLUMNS, rows(values), rows_stay=rows_stay)


def write_rows(
    path: Path, columns: Sequence[str], lines: Iterable[Sequence[object]], *, rows_stay: bool = False
) -> None:
    """Write any table as CSV, and note where it comes from. rows_stay: rows of earlier runs are among the lines."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(columns)
        writer.writerows(lines)
    note(path, rows_stay=rows_stay)


def as_text(values: Values) -> str:
    """The table for a terminal: a line per method, a column per metric, `mean [low, high]`."""
    metrics = list(dict.fromkeys(metric for found in values.values() for metric in found))
    cells = {(method, metric): f"{mean} [{low}, {high}]" for method, metric, mean, low, high, _ in rows(values)}
    table = [["", *metrics]]
    table += [[method, *(cells.get((method, metric), "") for metric in metrics)] for method in values]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)
