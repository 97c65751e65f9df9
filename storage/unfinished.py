"""Files that are being written: named so that those which a killed process left behind are found and removed."""

from __future__ import annotations

import hashlib
import os
import platform
import re
import secrets
import time
from functools import cache
from pathlib import Path

import psutil

_NAME = re.compile(r"\.appearance-transfer\.([0-9a-f]{8})\.(\d{1,10})\.(\d{1,12})\.[0-9a-f]{8}\.part")
FOREIGN_FOR = 24 * 3600
"""Seconds after which the unfinished file of another machine counts as abandoned: nobody writes for so long."""
CLOCKS_DIFFER = 10
"""Seconds by which the start of a process may be told wrong."""


def unfinished_path(folder: Path) -> Path:
    """A new name in a folder for what this process is about to write."""
    return folder / f".appearance-transfer.{_machine()}.{os.getpid()}.{int(time.time())}.{secrets.token_hex(4)}.part"


def remove_abandoned(folder: Path) -> None:
    """Remove the unfinished files of processes that are gone. What cannot be removed stays."""
    for entry in _entries(folder):
        match = _NAME.fullmatch(entry.name)
        if match and _is_abandoned(entry, match[1], int(match[2]), int(match[3])):
            try:
                os.unlink(entry.path)
            except OSError:
                continue  # another process was quicker, or it is not ours to remove


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return list(entries)
    except OSError:
        return []


def _is_abandoned(entry: os.DirEntry[str], machine: str, process: int, begun: int) -> bool:
    """Whether the process that began a file at that second is gone; another may have its number by now."""
    if machine != _machine():
        try:
            return entry.stat().st_mtime < time.time() - FOREIGN_FOR
        except OSError:
            return False
    try:
        found = psutil.Process(process)
        return found.status() == psutil.STATUS_ZOMBIE or found.create_time() > begun + CLOCKS_DIFFER
    except psutil.NoSuchProcess:
        return True
    except psutil.Error:
        return False


@cache
def _machine() -> str:
    """Where the numbers of processes mean the same: this machine or, on Linux, this container."""
    try:
        space = os.readlink("/proc/self/ns/pid")
    except OSError:
        space = ""
    return hashlib.sha256(f"{platform.node()} {space}".encode()).hexdigest()[:8]
