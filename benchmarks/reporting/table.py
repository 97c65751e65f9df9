"""Result tables: method, metric, mean, low, high, n, with 95 % bootstrap intervals."""

from __future__ import annotations

import csv
from collections.abc import Mapping, Sequence
from pathlib import Path

from ...evaluation.confidence import mean_interval

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


def write_table(path: Path, values: Values) -> None:
    """Write the table as CSV."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(COLUMNS)
        writer.writerows(rows(values))


def as_text(values: Values) -> str:
    """The table for a terminal: a line per method, a column per metric, `mean [low, high]`."""
    metrics = list(dict.fromkeys(metric for found in values.values() for metric in found))
    cells = {(method, metric): f"{mean} [{low}, {high}]" for method, metric, mean, low, high, _ in rows(values)}
    table = [["", *metrics]]
    table += [[method, *(cells.get((method, metric), "") for metric in metrics)] for method in values]
    widths = [max(map(len, column)) for column in zip(*table, strict=True)]
    return "\n".join("  ".join(map(str.ljust, line, widths)).rstrip() for line in table)
