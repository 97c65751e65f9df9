"""Part *saving*: killed writers, full disks, and several processes that write into one folder.

As promised: what has its name is whole, nothing is overwritten, no pair is mixed up or lost once it was kept, what a
killed process left is gone after the next save, and a full disk is a sentence that leaves everything as it was.
"""

from __future__ import annotations

import errno
import hashlib
import multiprocessing
import os
import random
import re
import time
from collections.abc import Callable, Iterator
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import torch

from ...distillation.pairs import PairFolder
from ...storage import atomic_write as whole_file
from ...storage.atomic_write import NotWritten, atomic_write, write_numbered
from .part import Result, Setting

SUFFIX = ".bin"
IMAGE = 48  # pixels along a side of the pairs
FORK = multiprocessing.get_context("fork") if hasattr(os, "fork") else None
"""Children that begin at once; they calculate on one thread, for the others do not come along."""
Case = Callable[[random.Random, Path], str]


def saving(setting: Setting) -> Iterator[Result]:
    """Every kind in turn, `setting.count` cases in all; each is drawn from a seed of its own, which a failure names."""
    if FORK is None:
        return
    for number in range(setting.count):
        kind, case = KINDS[number % len(KINDS)]
        seed = f"{setting.seed} {kind} {number}"
        folder = setting.home / "saved" / str(number)
        folder.mkdir(parents=True)
        wrong = case(random.Random(seed), folder)
        yield Result(kind, f"[seed {seed!r}] {wrong}" if wrong else "")


def killed_writer(draw: random.Random, folder: Path) -> str:
    """A process that saves one file after another is killed at some moment."""
    size = draw.choice((1000, 10**6, 10**7))
    _killed(draw, _write_for_ever, folder, size)
    write_numbered(folder, "last", SUFFIX, _content(draw.randbytes(100)))
    return _all_whole(folder)


def killed_replacer(draw: random.Random, folder: Path) -> str:
    """The same where one file is replaced again and again: it is there, old or new."""
    atomic_write(folder / f"kept{SUFFIX}", _content(b"first"))
    _killed(draw, _replace_for_ever, folder, draw.choice((1000, 10**6)))
    before = (folder / f"kept{SUFFIX}").exists()
    atomic_write(folder / f"other{SUFFIX}", _content(b"last"))
    return _all_whole(folder) if before else "the file that was to be replaced is gone"


def killed_collector(draw: random.Random, folder: Path) -> str:
    """A process that collects pairs is killed; what it said to be kept is there, and the collection goes on."""
    position = folder / "pairs"
    output = _killed(draw, _collect_for_ever, position)
    kept = max([-1, *(int(line) for line in output.split())])
    pairs = PairFolder(position)
    if len(pairs) < kept + 1:
        return f"{kept + 1} pairs were kept, {len(pairs)} are there"
    _add(pairs, 10_000)
    return _pairs_belong_together(position) or _no_leftovers(position)


def two_savers(draw: random.Random, folder: Path) -> str:
    """Two processes save numbered files of one name."""
    count = 10
    wrong = _both(_write_some, folder, count)
    names = list(folder.glob(f"*{SUFFIX}"))
    return wrong or _all_whole(folder) or ("" if len(names) == 2 * count else f"{len(names)} files of {2 * count}")


def two_collectors(draw: random.Random, folder: Path) -> str:
    """Two processes collect pairs into one folder; some pairs belong to both."""
    wrong = _both(_collect_some, folder / "pairs", 6)
    found = len(PairFolder(folder / "pairs"))
    incomplete = "" if found == 9 else f"{found} pairs of 9"
    return wrong or _pairs_belong_together(folder / "pairs") or _no_leftovers(folder / "pairs") or incomplete


def full_disk(draw: random.Random, folder: Path) -> str:
    """The disk is full in the middle of a file: the kernel takes no more than some bytes of it."""
    atomic_write(folder / f"kept{SUFFIX}", _content(b"first"))
    write = draw.choice((_replace_once, _number_once, _collect_once))
    return _in_child(_with_little_room, folder, write, draw.randrange(140)) or _left_as_it_was(folder)


def failing_disk(draw: random.Random, folder: Path) -> str:
    """One of the calls that saving consists of fails."""
    atomic_write(folder / f"kept{SUFFIX}", _content(b"first"))
    call = draw.choice(("fsync", "replace", "link"))
    code = draw.choice((errno.ENOSPC, errno.EIO, errno.EROFS, getattr(errno, "EDQUOT", errno.ENOSPC)))
    write = {"replace": _replace_once, "link": _number_once}.get(call, draw.choice((_replace_once, _number_once)))
    return _in_child(_with_a_call_that_fails, folder, write, call, code) or _left_as_it_was(folder)


KINDS: tuple[tuple[str, Case], ...] = (
    ("killed while saving", killed_writer), ("killed while replacing", killed_replacer),
    ("killed while collecting pairs", killed_collector), ("two processes save", two_savers),
    ("two processes collect pairs", two_collectors), ("full disk", full_disk), ("failing disk", failing_disk),
)  # fmt: skip


def _content(payload: bytes) -> bytes:
    """A file that knows whether it is whole."""
    return hashlib.sha256(payload).digest() + payload


def _all_whole(folder: Path) -> str:
    for path in folder.glob(f"*{SUFFIX}"):
        data = path.read_bytes()
        if _content(data[32:]) != data:
            return f"{path.name} has its name and is not whole ({len(data)} bytes)"
    return _no_leftovers(folder)


def _no_leftovers(folder: Path) -> str:
    left = [name for name in os.listdir(folder) if name.startswith(".")]
    return f"{left[0]} is left" if left else ""


def _left_as_it_was(folder: Path) -> str:
    kept = (folder / f"kept{SUFFIX}").read_bytes() == _content(b"first")
    names = sorted(os.listdir(folder))
    if not kept:
        return "what stood there before is another"
    return "" if names in ([f"kept{SUFFIX}"], [f"kept{SUFFIX}", "pairs"]) else f"there is more than before: {names}"


def _add(pairs: PairFolder, number: int) -> bool:
    """A pair whose images both say its number."""
    code = torch.tensor([number >> 8 & 255, number & 255, 7], dtype=torch.float32) / 255
    before = code.expand(IMAGE, IMAGE, 3)
    return pairs.add(before, before.flip(2)) is not None


def _pairs_belong_together(position: Path) -> str:
    pairs = PairFolder(position)
    for pair in pairs.pairs:
        before, after = pairs.load(pair, IMAGE)
        if not torch.equal(before.flip(0), after):
            return f"pair {pair.number} is mixed up"
    numbers = [pair.number for pair in pairs.pairs]
    return "" if numbers == list(range(1, len(numbers) + 1)) else f"the numbers of the pairs are {numbers[:20]}"


def _process(work: Callable[..., None], *arguments: Any) -> BaseProcess:
    process = FORK.Process(target=_on_one_thread, args=(work, *arguments))  # type: ignore[union-attr]
    process.start()
    return process


def _on_one_thread(work: Callable[..., None], *arguments: Any) -> None:
    torch.set_num_threads(1)
    work(*arguments)


def _killed(draw: random.Random, work: Callable[..., None], *arguments: Any) -> str:
    """Let a process work for some milliseconds after it has begun, and kill it; gives what it has told."""
    reader, writer = os.pipe()
    process = _process(work, writer, *arguments)
    os.close(writer)
    output = os.read(reader, 100)  # it has begun
    time.sleep(draw.choice((0.0, draw.random() * 0.005, draw.random() * 0.05)))
    process.kill()
    process.join()
    while more := os.read(reader, 10_000):
        output += more
    os.close(reader)
    return re.sub(r"[^\n]*\Z", "", output.decode("ascii")).replace("begun\n", "")


def _both(work: Callable[..., None], *arguments: Any) -> str:
    barrier = FORK.Barrier(2)  # type: ignore[union-attr]
    processes = [_process(work, barrier, first, *arguments) for first in (0, 1)]
    for process in processes:
        process.join(120)
        if process.exitcode != 0:
            process.kill()
            return f"a process ended with {process.exitcode}"
    return ""


def _in_child(work: Callable[..., None], *arguments: Any) -> str:
    reader, writer = os.pipe()
    process = _process(work, writer, *arguments)
    os.close(writer)
    output = b""
    while more := os.read(reader, 10_000):
        output += more
    os.close(reader)
    process.join()
    return output.decode() if output or process.exitcode == 0 else f"the process ended with {process.exitcode}"


def _write_for_ever(writer: int, folder: Path, size: int) -> None:
    os.write(writer, b"begun\n")
    for number in range(10_000):
        write_numbered(folder, "kept", SUFFIX, _content(bytes([number % 256]) * size))


def _replace_for_ever(writer: int, folder: Path, size: int) -> None:
    os.write(writer, b"begun\n")
    for number in range(10_000):
        atomic_write(folder / f"kept{SUFFIX}", _content(bytes([number % 256]) * size))


def _collect_for_ever(writer: int, position: Path) -> None:
    os.write(writer, b"begun\n")
    pairs = PairFolder(position)
    for number in range(10_000):
        _add(pairs, number)
        os.write(writer, f"{number}\n".encode("ascii"))


def _write_some(barrier: Any, first: int, folder: Path, count: int) -> None:
    barrier.wait()
    for number in range(count):
        write_numbered(folder, "kept", SUFFIX, _content(f"{first} {number}".encode("ascii")))


def _collect_some(barrier: Any, first: int, position: Path, count: int) -> None:
    pairs = PairFolder(position)
    barrier.wait()
    for number in range(count):
        _add(pairs, number + 3 * first)


def _replace_once(folder: Path) -> None:
    atomic_write(folder / f"kept{SUFFIX}", _content(bytes(100_000)))


def _number_once(folder: Path) -> None:
    write_numbered(folder, "new", SUFFIX, _content(bytes(100_000)))


def _collect_once(folder: Path) -> None:
    """Fails at the images, which the next pair replaces, or at the line; then there is no pair."""
    try:
        _add(PairFolder(folder / "pairs"), 1)
    finally:
        if len(PairFolder(folder / "pairs")) or list((folder / "pairs").glob(".*")):
            raise AssertionError("a pair that was not kept is there, or part of it")


def _with_little_room(writer: int, folder: Path, write: Callable[[Path], None], room: int) -> None:
    import resource

    resource.setrlimit(resource.RLIMIT_FSIZE, (room, resource.RLIM_INFINITY))
    _judged(writer, write, folder)


def _with_a_call_that_fails(writer: int, folder: Path, write: Callable[[Path], None], call: str, code: int) -> None:
    def fails(*_: object) -> None:
        raise OSError(code, os.strerror(code))

    setattr(whole_file.os, call, fails)  # the process is a child that ends with this
    _judged(writer, write, folder)


def _judged(writer: int, write: Callable[[Path], None], folder: Path) -> None:
    """Say what is wrong with how a save fails."""
    try:
        write(folder)
        wrong = "it said nothing"
    except NotWritten as error:
        wrong = "" if str(error).endswith("queue again.") else f"no sentence: {error}"
    except Exception as error:  # noqa: BLE001 - whatever it is, it is what is looked for
        wrong = f"{type(error).__name__}: {error}"
    os.write(writer, wrong.encode())
