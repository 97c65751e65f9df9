"""The manifest of a folder of pairs: one line per pair, only ever added to, by one process at a time.

A line is written after both of its images. What a killed process has written of its last line is left out and makes
room for the next one.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, BinaryIO

from ..storage import bounded_json, fields
from ..storage.atomic_write import reasons_told
from ..storage.locked_file import locked
from ..storage.regular_file import lies_inside, read_regular

MANIFEST = "pairs.jsonl"
LARGEST = 64 * 2**20
"""Bytes, for about 200,000 pairs."""
LONGEST_LINE = 4096
_IMAGE = re.compile(r"[^\W_][\w .\-]{0,99}\.(?:png|jpe?g|webp)", re.IGNORECASE)


@dataclass(frozen=True)
class EditPair:
    """One line of the manifest.

    before, after: names of the images. source: digest of the image before its edit, by which it is known again.
    overlap: IoU of the object's masks. gain: how much nearer the edit is to its text. None where not measured.
    """

    number: int
    before: str
    after: str
    source: str
    overlap: float | None = None
    gain: float | None = None


@dataclass(frozen=True)
class OpenManifest:
    """A manifest that nobody else adds to. pairs: those that stand in it."""

    file: BinaryIO
    pairs: list[EditPair]
    whole: int
    """Bytes up to the end of the last whole line."""
    ended: bool
    """Whether that line has its end."""

    def add(self, pair: EditPair) -> None:
        """Add a line, in the place of a torn one, and wait until it is on the disk."""
        line = json.dumps(asdict(pair)).encode("ascii") + b"\n"
        rest = line if self.ended else b"\n" + line
        descriptor = self.file.fileno()  # not through its buffer, which would write again what has failed
        os.ftruncate(descriptor, self.whole)
        try:
            while rest:
                rest = rest[os.write(descriptor, rest) :]
            os.fsync(descriptor)
        except OSError:
            os.ftruncate(descriptor, self.whole)
            raise


@contextmanager
def open_manifest(path: Path) -> Iterator[OpenManifest]:
    """A manifest to add a pair to; it is made where there is none.

    Raises ValueError for a damaged one, NotWritten where it cannot be written or another process keeps it.
    """
    _check_position(path)
    with reasons_told(path.name), locked(path) as file:
        file.seek(0)
        data = file.read(LARGEST + 1)
        if len(data) > LARGEST:
            raise ValueError(f"The edit pairs {path.parent.name!r} are full; collect under another name.")
        pairs, whole = _parsed(path, data)
        yield OpenManifest(file, pairs, whole, ended=whole == 0 or data[whole - 1 : whole] == b"\n")


def read_manifest(path: Path) -> tuple[list[EditPair], bool]:
    """The pairs that a manifest lists, none where there is no manifest; and whether its last line is cut off, so that
    a pair is lost. Raises ValueError for a damaged one.
    """
    _check_position(path)
    try:
        data = read_regular(path, LARGEST)
    except FileNotFoundError:
        return [], False
    pairs, whole = _parsed(path, data)
    return pairs, whole < len(data)


def _check_position(path: Path) -> None:
    """A manifest is a file, and lies in its folder."""
    if not lies_inside(path, path.parent):
        raise ValueError(
            f"{path.name!r} of the edit pairs {path.parent.name!r} leads out of their folder; copy the file there."
        )
    if path.exists() and not path.is_file():
        raise ValueError(f"{path.name!r} of the edit pairs {path.parent.name!r} is no file; remove it.")


def _parsed(path: Path, data: bytes) -> tuple[list[EditPair], int]:
    """The pairs of a manifest, and the bytes up to the end of the last whole line."""
    *lines, rest = data.split(b"\n")
    pairs = [_pair(path, number, line) for number, line in enumerate(lines, start=1)]
    if not rest:
        return pairs, len(data)
    if not _is_whole(rest):
        return pairs, len(data) - len(rest)
    return [*pairs, _pair(path, len(lines) + 1, rest)], len(data)


def _is_whole(line: bytes) -> bool:
    """Whether a line without its end has all the rest."""
    try:
        bounded_json.parse(line, LONGEST_LINE)
    except ValueError:
        return False
    return True


def _pair(path: Path, number: int, line: bytes) -> EditPair:
    try:
        found = bounded_json.parse(line, LONGEST_LINE)
        if not isinstance(found, dict):
            raise ValueError("it is no object")
        if unknown := sorted(found.keys() - _FIELDS.keys()):
            raise ValueError(f"it has an unknown entry {unknown[0][:40]!r}")
        return EditPair(**fields.read({"overlap": None, "gain": None} | found, _FIELDS))
    except KeyError as error:
        raise ValueError(_damaged(path, number, f"it lacks {error}")) from error
    except ValueError as error:
        raise ValueError(_damaged(path, number, str(error))) from error


def _damaged(path: Path, number: int, reason: str) -> str:
    return (
        f"Line {number} of {MANIFEST} of the edit pairs {path.parent.name!r} is damaged ({reason}). Delete the line, "
        "or collect under another name."
    )


def _image(value: Any) -> str:
    if not isinstance(value, str) or not _IMAGE.fullmatch(value) or ".." in value:
        raise ValueError(f"is {str(value)[:60]!r} where the name of an image in the same folder is needed")
    return value


def _digest(value: Any) -> str:
    if not isinstance(value, str) or not re.fullmatch(r"[0-9a-f]{64}", value):
        raise ValueError(f"is {str(value)[:60]!r} where 64 hexadecimal digits are needed")
    return value


_FIELDS: dict[str, fields.Check] = {
    "number": fields.whole(1, 10**9),
    "before": _image,
    "after": _image,
    "source": _digest,
    "overlap": fields.optional(fields.number(0, 1)),
    "gain": fields.optional(fields.number(-2, 2)),
}
