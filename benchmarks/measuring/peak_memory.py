"""How far a piece of work raises the memory in use: on the CPU the process's resident set, on a GPU the allocator's."""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable

MEBIBYTE = 2**20


def memory_rise(work: Callable[[], object], device: str = "cpu") -> int:
    """Bytes by which the peak during `work()` lies above the memory in use before it. device: "cpu" or "cuda".

    On the CPU this holds once per process: call it in a fresh one, after a small rehearsal that loads what is loaded on
    first use.
    """
    import torch

    if device == "cuda":
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        work()
        return torch.cuda.max_memory_allocated() - before
    import psutil

    _give_back()
    # Importing has left a peak above the present. Fill the gap, so that the next peak shows from its first byte.
    gap = peak_bytes() - psutil.Process().memory_info().rss
    ballast = torch.ones(max(gap, 0) // 4 + 1)
    before = peak_bytes()
    work()
    after = peak_bytes()
    del ballast
    return after - before


def _give_back() -> None:
    """Return freed memory to the system where its C library can: work that uses it again would not raise the peak."""
    trim = getattr(ctypes.CDLL(None), "malloc_trim", None) if sys.platform == "linux" else None
    if trim is not None:
        trim(0)


def peak_bytes() -> int:
    """The highest resident memory of this process so far."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
