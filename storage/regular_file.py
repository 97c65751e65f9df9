"""Files that others put there: opened only where they are files, and lie where they should."""

from __future__ import annotations

import os
import stat
from pathlib import Path
from typing import BinaryIO

_FLAGS = (
    os.O_RDONLY
    | getattr(os, "O_BINARY", 0)  # Windows
    | getattr(os, "O_CLOEXEC", 0)
    | getattr(os, "O_NONBLOCK", 0)  # a pipe without a writer would keep us waiting for ever
)


def open_regular(path: str | os.PathLike[str], largest: int | None = None) -> BinaryIO:
    """Open a file to read it; links to files are followed.

    largest: bytes that it may have. Raises ValueError for what is no file (a folder, a pipe, a device), cannot be read,
    or is larger; FileNotFoundError, as ever, where there is nothing.
    """
    name = Path(path).name
    try:
        descriptor = os.open(path, _FLAGS)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise ValueError(f"{name!r} cannot be read ({error.strerror}); choose another file.") from error
    about = os.fstat(descriptor)
    if not stat.S_ISREG(about.st_mode):
        os.close(descriptor)
        raise ValueError(f"{name!r} is {_kind(about.st_mode)}, not a file; put the file itself in its place.")
    if largest is not None and about.st_size > largest:
        os.close(descriptor)
        raise ValueError(
            f"{name!r} has {about.st_size / 2**20:.0f} MiB, far more than the {largest / 2**20:.0f} MiB that it may "
            "have; choose another file."
        )
    return os.fdopen(descriptor, "rb")


def read_regular(path: str | os.PathLike[str], largest: int) -> bytes:
    """All of a file of at most `largest` bytes. Raises as `open_regular`."""
    with open_regular(path, largest) as file:
        try:
            return file.read(largest)
        except OSError as error:
            raise ValueError(f"{Path(path).name!r} cannot be read ({error.strerror}); choose another file.") from error


def lies_inside(path: Path, folder: Path) -> bool:
    """Whether a path, with every link followed, is in a folder or below it."""
    try:
        return path.resolve().is_relative_to(folder.resolve())
    except (OSError, RuntimeError):  # links in a circle
        return False


def _kind(mode: int) -> str:
    kinds = ((stat.S_ISDIR, "a folder"), (stat.S_ISFIFO, "a pipe"), (stat.S_ISSOCK, "a socket"))
    return next((words for holds, words in kinds if holds(mode)), "a device")
