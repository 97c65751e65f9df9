"""Every value of every case: a table that a later run adds its methods to."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from pathlib import Path

from .table import Values, write_rows

Cases = dict[str, dict[str, list[float]]]
"""method -> metric -> a value per case; a method may have been run on fewer cases than others."""


def read_cases(path: Path) -> Cases:
    """What an earlier run has written; nothing where there was none."""
    values: Cases = {}
    if path.exists():
        with path.open(newline="", encoding="ascii") as file:
            for row in csv.DictReader(file):
                for name, number in row.items():
                    method, found, metric = name.rpartition(": ")
                    if found and number:
                        values.setdefault(method, {}).setdefault(metric, []).append(float(number))
    return values


def joined(parts: Sequence[Cases]) -> Cases:
    """The values of the methods of the first batch of cases, one batch behind the other; later ones may lack some."""
    return {
        name: {metric: [case for part in parts if name in part for case in part[name][metric]] for metric in metrics}
        for name, metrics in parts[0].items()
    }


def write_cases(path: Path, columns: Sequence[str], about: Iterable[Sequence[object]], values: Values) -> None:
    """A row per case: what is known about it, under `columns`, and its values, under "method: metric"."""
    names = [(method, metric) for method, metrics in values.items() for metric in metrics]
    lines = []
    for row, metadata in enumerate(about):
        cases = (values[method][metric] for method, metric in names)
        lines.append((*metadata, *(f"{found[row]:.4f}" if row < len(found) else "" for found in cases)))
    write_rows(path, (*columns, *(f"{method}: {metric}" for method, metric in names)), lines)
