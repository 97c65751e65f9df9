"""Load a file that may be damaged, and say whether it went as promised: a sentence, or something that can be used."""

from __future__ import annotations

import re
import signal
import sys
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from ..measuring.peak_memory import MEBIBYTE

SECONDS = 25
ROOM = 96 * MEBIBYTE
TIMES = 6
"""Memory that a load may take: ROOM, and TIMES the size of its file."""
LONGEST = 700
"""Characters of a sentence."""
_SENTENCE = re.compile(r".*[.)]", re.DOTALL)
_POSITION = re.compile(r"/(?:tmp|home|root|work)/")


class TookTooLong(BaseException):
    """Nothing that a loader may catch."""


def fault(load: Callable[[], object], check: Callable[[object], str], size: int) -> str:
    """What was not as promised when something of `size` bytes was loaded; empty where all was.

    check: says what is wrong with what came out. Sentences are ValueErrors, and FileNotFoundErrors of ours.
    """
    begun = time.monotonic()
    before = _memory_before()
    try:
        with _deadline():
            found = load()
            wrong = check(found)
    except (ValueError, FileNotFoundError) as error:
        wrong = _judged(str(error))
    except TookTooLong:
        wrong = f"took longer than {SECONDS} s"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        where = traceback.extract_tb(error.__traceback__)[-1]
        wrong = f"{type(error).__name__} ({str(error)[:100]}) at {Path(where.filename).name}:{where.lineno}"
    taken = _memory_taken(before)
    if not wrong and taken > ROOM + TIMES * size:
        wrong = f"took {taken / MEBIBYTE:.0f} MiB for a file of {size / MEBIBYTE:.1f} MiB"
    if not wrong and time.monotonic() - begun > SECONDS:
        wrong = f"took longer than {SECONDS} s"
    return wrong


def _judged(text: str) -> str:
    """Whether an error is a sentence for people."""
    if len(text) > LONGEST:
        return f"a sentence of {len(text)} characters: {text[:100]}"
    if not _SENTENCE.fullmatch(text):
        return f"no sentence: {text[:150]}"
    return f"names a position of this machine: {text[:150]}" if _POSITION.search(text) else ""


@contextmanager
def _deadline() -> Iterator[None]:
    if not hasattr(signal, "setitimer"):
        yield
        return

    def stop(*_: object) -> None:
        raise TookTooLong

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, SECONDS)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _memory_before() -> int:
    """Bytes in use; the peak begins anew from here. 0 where the system does not tell."""
    if sys.platform != "linux":
        return 0
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
    except OSError:
        return 0
    return _status("VmRSS")


def _memory_taken(before: int) -> int:
    return _status("VmHWM") - before if before else 0


def _status(name: str) -> int:
    for line in Path("/proc/self/status").read_text(encoding="ascii").splitlines():
        if line.startswith(name):
            return int(line.split()[1]) * 1024
    return 0
