"""Files that appear complete or not at all."""

from __future__ import annotations

import errno
import itertools
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .unfinished import remove_abandoned, unfinished_path

_NO_ROOM = {errno.ENOSPC, getattr(errno, "EDQUOT", errno.ENOSPC), errno.EFBIG}
_CANNOT = {errno.EPERM, errno.EINVAL, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP}
"""What file systems answer that do not know hard links, or how to wait for the disk."""


class NotWritten(OSError):
    """A file could not be written; the text is a sentence for people."""


def atomic_write(path: Path, data: bytes) -> None:
    """Write a file: under another name beside it, then renamed. What stood there before is replaced. Raises
    NotWritten.
    """
    with reasons_told(path.name, len(data)), _temporary_file(path.parent, data) as unfinished:
        os.replace(unfinished, path)
        _wait_for_folder(path.parent)


def write_numbered(folder: Path, stem: str, suffix: str, data: bytes, first: int = 1) -> Path:
    """Write a file as `<stem>_00001<suffix>`, or with the first number from `first` on that is free; gives its path.

    Nothing is overwritten, whoever else writes into the folder at the same time. Makes the folder. Raises NotWritten.
    """
    with reasons_told(f"{stem}{suffix}", len(data)):
        folder.mkdir(parents=True, exist_ok=True)
        with _temporary_file(folder, data) as unfinished:
            for number in itertools.count(first):
                path = folder / f"{stem}_{number:05}{suffix}"
                if not path.exists() and _named_exclusively(unfinished, path):
                    _wait_for_folder(folder)
                    return path
    raise AssertionError("there are always more numbers")


@contextmanager
def _temporary_file(folder: Path, data: bytes) -> Iterator[Path]:
    """A file with this content that is on the disk, to be given its name; what is left of it is removed."""
    remove_abandoned(folder)
    unfinished = unfinished_path(folder)
    try:
        with unfinished.open("xb") as file:
            file.write(data)
            file.flush()
            _wait_for_disk(file.fileno())
        yield unfinished
    finally:
        unfinished.unlink(missing_ok=True)


def _named_exclusively(unfinished: Path, path: Path) -> bool:
    """Give a file a name that nobody else has; False where somebody was quicker."""
    try:
        os.link(unfinished, path)  # fails where the name is taken; on POSIX, renaming would replace what is there
    except FileExistsError:
        return False
    except OSError as error:
        if error.errno not in _CANNOT:
            raise
        return _claimed(unfinished, path)
    return True


def _claimed(unfinished: Path, path: Path) -> bool:
    """The same on a file system without hard links: claim the name with an empty file, then put ours in its place."""
    try:
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    except FileExistsError:
        return False
    os.replace(unfinished, path)
    return True


def _wait_for_disk(descriptor: int) -> None:
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _CANNOT:
            raise


def _wait_for_folder(folder: Path) -> None:
    """Until the new name is on the disk, too; Windows cannot be asked."""
    if os.name == "nt":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        _wait_for_disk(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def reasons_told(name: str, size: int = 0) -> Iterator[None]:
    """Say in a sentence why a file of that size in bytes could not be written: raises NotWritten."""
    try:
        yield
    except NotWritten:
        raise
    except OSError as error:
        if error.errno in _NO_ROOM:
            needs = f", {size / 2**20:.1f} MiB are needed" if size >= 2**20 else ""
            reason = f"the disk is full ({error.strerror}){needs}. Make room there and queue again."
        else:
            reason = f"{error.strerror or error}. Check the folder and its permissions, and queue again."
        raise NotWritten(f"{name!r} could not be saved: {reason}") from error
