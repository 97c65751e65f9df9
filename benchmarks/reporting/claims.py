"""What the report says in short: sentences whose numbers are read out of the result files, never written by hand."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from .markdown import interval, number, read_rows
from .table import COLUMNS


@dataclass(frozen=True)
class Cell:
    """One number of a result file.

    row: what the line begins with. column: its column's name; in a table of methods: of which metric, with interval.
    """

    file: str
    row: tuple[str, ...]
    column: str

    def read(self, folder: Path) -> str | None:
        """As it stands in the tables; None where the file or the line is not there."""
        if not (folder / self.file).is_file():
            return None
        columns, lines = read_rows(folder / self.file)
        if tuple(columns) == COLUMNS:
            found = [line[2:5] for line in lines if line[:2] == [*self.row, self.column]]
            return interval(*found[0]) if found else None
        found = [line for line in lines if tuple(line[: len(self.row)]) == self.row]
        return number(found[0][columns.index(self.column)]) if found else None


@dataclass(frozen=True)
class Count:
    """How many lines of a result file there are; with a column and a value: that have it there."""

    file: str
    column: str = ""
    value: str = ""

    def read(self, folder: Path) -> str | None:
        """None where the file is not there."""
        if not (folder / self.file).is_file():
            return None
        columns, lines = read_rows(folder / self.file)
        if not self.column:
            return str(len(lines))
        where = columns.index(self.column)
        return str(sum(line[where] == self.value for line in lines))


@dataclass(frozen=True)
class Claim:
    """A sentence with a `{}` for every number."""

    sentence: str
    numbers: tuple[Cell | Count, ...]


def stated(folder: Path, claims: Iterable[Claim]) -> list[str]:
    """The sentences whose numbers are all there."""
    read = [(claim.sentence, [one.read(folder) for one in claim.numbers]) for claim in claims]
    return [sentence.format(*numbers) for sentence, numbers in read if None not in numbers]
