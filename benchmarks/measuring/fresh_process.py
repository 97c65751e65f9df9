"""Work in a process of its own, so that no memory freed before can be used again unnoticed."""

from __future__ import annotations

import multiprocessing
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from typing import Any


def in_fresh_process(work: Callable[..., Any], *arguments: Any) -> Any:
    """`work(*arguments)`, computed in a process that does nothing else."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(work, *arguments).result()
