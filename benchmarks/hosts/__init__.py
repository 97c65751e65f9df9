"""Work shared out to several processes, each with a host of its own."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing.queues import SimpleQueue
from pathlib import Path
from typing import TypeVar

import torch

from ...developer.in_process import Host
from ...developer.server import has_accelerator, temporary_home

Batch = TypeVar("Batch")
Result = TypeVar("Result")


def in_hosts(
    comfyui: Path, work: Callable[[Batch, int], Result], batches: Sequence[Batch], workers: int = 0
) -> list[Result]:
    """`work(batch, bar)` for every batch, in `workers` processes, which share out the threads that this one would use.

    bar: on which line a process may show its progress. workers: 0 is chosen by the machine.
    """
    spawn = multiprocessing.get_context("spawn")
    workers = min(workers or _fitting(), len(batches))
    threads = max(1, torch.get_num_threads() // workers)
    positions: SimpleQueue = spawn.SimpleQueue()
    with ExitStack() as stack:
        for bar in range(workers):
            positions.put((bar, stack.enter_context(temporary_home())))
        pool = ProcessPoolExecutor(
            workers, mp_context=spawn, initializer=_start, initargs=(comfyui, threads, positions)
        )
        with pool:
            return list(pool.map(_run, repeat(work), batches))


def _fitting() -> int:
    """One process for an accelerator; without one, a process per thread is quicker than threads, up to four."""
    return 1 if has_accelerator() else min(4, torch.get_num_threads())


_bar = 0  # of this worker process: the line of its progress bar


def _start(comfyui: Path, threads: int, positions: SimpleQueue) -> None:
    """Make this process a worker: start its host, in a home of its own."""
    global _bar
    torch.set_num_threads(threads)
    _bar, home = positions.get()
    Host(comfyui, home)


def _run(work: Callable[[Batch, int], Result], batch: Batch) -> Result:
    return work(batch, _bar)
