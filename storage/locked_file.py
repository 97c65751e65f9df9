"""A file that several processes add to, one at a time."""

from __future__ import annotations

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from .atomic_write import NotWritten

PATIENCE = 30.0
"""Seconds to wait for the process that has the file; none of ours keeps it for longer than it takes to save a pair."""
_FAR = 2**40  # Windows locks ranges of bytes, against reading, too: one that is not there hinders nobody
_TAKEN = {errno.EACCES, errno.EAGAIN, errno.EWOULDBLOCK, errno.EDEADLK}


@contextmanager
def locked(path: Path, patience: float = PATIENCE) -> Iterator[BinaryIO]:
    """A file, open to be read and added to, that no other process has locked. It is made where there is none.

    A process that dies loses its lock. Raises NotWritten where another one does not let go of it.
    """
    with path.open("a+b") as file:
        give_up = time.monotonic() + patience
        while not _taken(file):
            if time.monotonic() > give_up:
                raise NotWritten(
                    f"Another process has kept {path.name!r} locked for {patience:.0f} seconds. End it, or use another "
                    "name, and queue again."
                )
            time.sleep(0.02)
        try:
            yield file
        finally:
            _release(file)


if os.name == "nt":
    import msvcrt

    def _lock(file: BinaryIO, mode: int) -> None:
        file.seek(_FAR)
        msvcrt.locking(file.fileno(), mode, 1)  # type: ignore[attr-defined]

    def _taken(file: BinaryIO) -> bool:
        try:
            _lock(file, msvcrt.LK_NBLCK)  # type: ignore[attr-defined]
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True

    def _release(file: BinaryIO) -> None:
        _lock(file, msvcrt.LK_UNLCK)  # type: ignore[attr-defined]

else:
    import fcntl

    def _taken(file: BinaryIO) -> bool:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            if error.errno not in _TAKEN:
                raise
            return False
        return True

    def _release(file: BinaryIO) -> None:
        fcntl.flock(file, fcntl.LOCK_UN)
