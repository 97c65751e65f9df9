"""Peak memory of contrasted attention as the token grid grows: O(N), where the whole map would be O(N^2).

Each figure is the rise of the process's resident memory above its inputs, in a fresh process, on the CPU in fp32.
Writes results/contrast_memory.csv.
"""

import argparse
import csv
import multiprocessing
import sys
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

from ..developer.console import say

RESULTS = Path(__file__).resolve().parent / "results" / "contrast_memory.csv"
TOKENS = (1024, 4096, 16384)  # the 32x32, 64x64 and 128x128 grids of 256, 512 and 1024 px pictures
HEADS, WIDTH = 8, 40  # of SD1.5's decoder layers at the latent's resolution
METHODS: dict[str, dict[str, Any]] = {
    "plain attention": {"contrast": 1.0},
    "contrast without clip": {"clip": False},
    "contrast with clip": {},
    "contrast with clip, whole map": {"query_chunk": TOKENS[-1]},
}
LARGEST_WHOLE_MAP = 4096  # the next one would take 8 GiB for each of its copies
MEBIBYTE = 2**20


def main(installation: object, arguments: Sequence[str]) -> int:
    """Measure every method at every size and write the table."""
    parser = argparse.ArgumentParser(prog="dev.py bench contrast_memory", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes per figure (default: 3)")
    repeats = parser.parse_args(arguments).repeats
    rows = []
    for method, options in METHODS.items():
        for tokens in TOKENS:
            if "query_chunk" in options and tokens > LARGEST_WHOLE_MAP:
                continue
            rises = [in_fresh_process(tokens, options) / MEBIBYTE for _ in range(repeats)]
            numbers = [f"{value:.1f}" for value in (mean(rises), min(rises), max(rises))]
            rows.append([method, f"peak MiB at N={tokens}", *numbers, len(rises)])
            say("  ".join(map(str, rows[-1])))
    RESULTS.parent.mkdir(exist_ok=True)
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["method", "metric", "mean", "low", "high", "n"], *rows])
    return 0


def in_fresh_process(tokens: int, options: dict[str, Any]) -> int:
    """`memory_rise` where nothing was freed before that could be used again unnoticed."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(memory_rise, tokens, options).result()


def memory_rise(tokens: int, options: dict[str, Any]) -> int:
    """How many bytes the peak of this process rises above q, k and v of one picture with that many tokens."""
    import psutil
    import torch

    from ..attention.contrast import contrasted_attention

    torch.set_num_threads(1)  # threads have buffers of their own
    q, k, v = torch.randn(3, 1, HEADS, tokens, WIDTH, generator=torch.Generator().manual_seed(0))
    contrasted_attention(q[..., :8, :], k[..., :8, :], v[..., :8, :], **options)  # loads what is loaded on first use
    # Importing has left a peak above the present. Fill the gap, so that the next peak shows from its first byte.
    gap = peak_bytes() - psutil.Process().memory_info().rss
    ballast = torch.ones(max(gap, 0) // 4 + 1)
    before = peak_bytes()
    contrasted_attention(q, k, v, **options)
    after = peak_bytes()
    del ballast
    return after - before


def peak_bytes() -> int:
    """The highest resident memory of this process so far."""
    if sys.platform == "win32":
        import psutil

        return psutil.Process().memory_info().peak_wset
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
