"""Run the benchmarks of a report: as many at a time as there are cores; those that measure time after them, alone."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import chain
from math import inf
from pathlib import Path
from types import MappingProxyType

from ...developer.cli_output import echo
from ...developer.paths import CACHE, ROOT, contained_environment
from ...developer.server import has_accelerator
from .section import Section, Words

LOGS = CACHE / "bench"


@dataclass(frozen=True)
class Done:
    """One benchmark that has run. failure: why it did not finish, in a sentence; empty where it did."""

    words: Words
    seconds: float
    failure: str = ""


def short(words: Words) -> str:
    """A command line as tables name it."""
    return " ".join(words[:3])


def run_sections(
    sections: Sequence[tuple[Section, Sequence[Words]]],
    options: Sequence[str],
    minutes: Mapping[str, float] = MappingProxyType({}),
) -> list[Done]:
    """Run the benchmarks of every section, each in a process of its own, those of one section in their order.

    options: for all of them. minutes: what they took the last time, by their short name: the longest sections begin,
    behind those that nothing is known of, so that no core waits for one at the end. On a CPU each has one thread, since
    small networks gain little from a second one.
    """
    lanes = 1 if has_accelerator() else os.cpu_count() or 1
    together = [words for section, words in sections if not section.timed]
    together.sort(key=lambda runs: -sum(minutes.get(short(words), inf) for words in runs))
    with ThreadPoolExecutor(lanes) as pool:
        done = list(
            chain.from_iterable(pool.map(lambda runs: [_run(words, options, lanes > 1) for words in runs], together))
        )
    alone = chain.from_iterable(words for section, words in sections if section.timed)
    return done + [_run(words, options, one_thread=False) for words in alone]


def _run(words: Words, options: Sequence[str], one_thread: bool) -> Done:
    command = [sys.executable, str(ROOT / "dev.py"), "bench", *words, *options]
    environment = contained_environment() | ({"OMP_NUM_THREADS": "1"} if one_thread else {})
    log = log_of(words)
    log.parent.mkdir(parents=True, exist_ok=True)
    started = time.monotonic()
    echo(f"Running {' '.join(words)} (its output: {log.relative_to(ROOT).as_posix()})")
    with log.open("w") as output:
        code = subprocess.run(command, cwd=ROOT, env=environment, stdout=output, stderr=subprocess.STDOUT).returncode
    done = Done(words, time.monotonic() - started, _last_line(log) if code else "")
    echo(f"{done.seconds / 60:.1f} min: {' '.join(words)}" + (f" did not finish: {done.failure}" if code else ""))
    return done


def log_of(words: Words) -> Path:
    """Where the output of a benchmark goes; runs of one benchmark with other options have logs of their own."""
    return LOGS / (re.sub(r"\W+", "_", " ".join(words[:3])) + ".log")


def _last_line(log: Path) -> str:
    lines = [line.strip() for line in log.read_text(encoding="utf-8").splitlines() if line.strip()]
    return lines[-1] if lines else "it said nothing"
