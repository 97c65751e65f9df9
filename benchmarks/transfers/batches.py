"""Run methods on pairs, batch by batch, in this process or in several, each with a host of its own.

A batch is the unit of work and always the same pairs, so that the noise drawn for a pair, and with it every result,
does not depend on the number of processes.
"""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from itertools import repeat
from multiprocessing.queues import SimpleQueue
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...developer.console import Trouble
from ...developer.in_process import Host
from ...developer.server import temporary_home
from .pairs import SIZE, Pair, rendered

BATCH = 8


def run_methods(pairs: list[Pair], only: Sequence[str] = (), bar: int = 0) -> dict[str, Tensor]:
    """The outputs [pairs, H, W, 3] of every method, or of those in `only`. Needs the host.

    Every pair is inverted once for all methods. bar: on which line the progress is shown. Raises Trouble for a name
    that is no method's.
    """
    from .inverted import invert_pairs, pocket_models
    from .methods import METHODS

    if unknown := set(only) - METHODS.keys():
        raise Trouble(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(METHODS)}.")
    chosen = {name: method for name, method in METHODS.items() if not only or name in only}
    models = pocket_models()
    outputs: dict[str, list[Tensor]] = {name: [] for name in chosen}
    batches = _batches(pairs)
    with torch.inference_mode(), tqdm(total=len(batches) * (len(chosen) + 1), position=bar, leave=False) as progress:
        for batch in batches:
            progress.set_description("inverting")
            inverted = invert_pairs(models, rendered(batch, SIZE))
            progress.update()
            for name, method in chosen.items():
                progress.set_description(name)
                outputs[name].append(method(models, inverted).cpu().float())
                progress.update()
    return {name: torch.cat(pieces) for name, pieces in outputs.items()}


def run_methods_in_processes(comfyui: Path, pairs: list[Pair], only: Sequence[str], workers: int) -> dict[str, Tensor]:
    """The same with the batches shared out to `workers` processes, which share out the machine's cores."""
    spawn = multiprocessing.get_context("spawn")
    batches = _batches(pairs)
    workers = min(workers, len(batches))
    threads = max(1, (os.cpu_count() or 1) // workers)
    places: SimpleQueue = spawn.SimpleQueue()
    with ExitStack() as stack:
        for bar in range(workers):
            places.put((bar, stack.enter_context(temporary_home())))
        pool = ProcessPoolExecutor(workers, mp_context=spawn, initializer=_start, initargs=(comfyui, threads, places))
        with pool:
            parts = list(pool.map(_run_batch, batches, repeat(tuple(only))))
    return {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def _batches(pairs: list[Pair]) -> list[list[Pair]]:
    return [pairs[first : first + BATCH] for first in range(0, len(pairs), BATCH)]


_bar = 0  # of this worker process: the line of its progress bar


def _start(comfyui: Path, threads: int, places: SimpleQueue) -> None:
    """Make this process a worker: start its host, in a home of its own."""
    global _bar
    torch.set_num_threads(threads)
    _bar, home = places.get()
    Host(comfyui, home)


def _run_batch(pairs: list[Pair], only: tuple[str, ...]) -> dict[str, np.ndarray]:
    return {name: output.numpy() for name, output in run_methods(pairs, only, _bar).items()}
