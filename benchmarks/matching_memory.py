"""Matching against one plain matrix product of the same size: peak extra memory, and time, side by side.

64 x 64 places ask 64 x 64 places with 1280 channels in fp32, on the CPU with one thread. Memory is the rise of the
process's resident memory above the two sets of features, each figure in a fresh process; times alternate between the
methods in one process, and each ratio is of two runs next to each other. Writes results/matching_memory.csv.
"""

import argparse
import csv
import multiprocessing
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from statistics import mean
from typing import Any

from ..developer.console import say
from .contrast_memory import MEBIBYTE, peak_bytes

RESULTS = Path(__file__).resolve().parent / "results" / "matching_memory.csv"
PLACES, CHANNELS = 4096, 1280
PRODUCT, METHODS = "matrix product", ("nearest", "mutual", "soft")


def main(installation: object, arguments: Sequence[str]) -> int:
    """Measure every method and write the table."""
    parser = argparse.ArgumentParser(prog="dev.py bench matching_memory", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs per figure (default: 5)")
    repeats = parser.parse_args(arguments).repeats
    figures: list[tuple[str, str, list[float]]] = []
    for method in (PRODUCT, *METHODS):
        rises = [in_fresh_process(memory_rise, method) / MEBIBYTE for _ in range(repeats)]
        figures.append((method, "peak extra MiB", rises))
    figures += in_fresh_process(times, repeats)
    rows = [
        [method, metric, *(f"{value:.3f}" for value in (mean(values), min(values), max(values))), len(values)]
        for method, metric, values in figures
    ]
    for row in rows:
        say("  ".join(map(str, row)))
    with RESULTS.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([["method", "metric", "mean", "low", "high", "n"], *rows])
    return 0


def in_fresh_process(measure: Callable[[Any], Any], argument: Any) -> Any:
    """`measure(argument)` where nothing was freed before that could be used again unnoticed."""
    with ProcessPoolExecutor(max_workers=1, mp_context=multiprocessing.get_context("spawn")) as pool:
        return pool.submit(measure, argument).result()


def memory_rise(method: str) -> int:
    """How many bytes the peak of this process rises above the features."""
    import psutil
    import torch

    run, asking, offering = prepared(method)
    run(asking[:8], offering[:8])  # loads what is loaded on first use
    # Importing has left a peak above the present. Fill the gap, so that the next peak shows from its first byte.
    gap = peak_bytes() - psutil.Process().memory_info().rss
    ballast = torch.ones(max(gap, 0) // 4 + 1)
    before = peak_bytes()
    run(asking, offering)
    after = peak_bytes()
    del ballast
    return after - before


def times(repeats: int) -> list[tuple[str, str, list[float]]]:
    """Seconds of each method, and as a share of the matrix product just before it; the first round does not count."""
    product, asking, offering = prepared(PRODUCT)
    figures = []
    for method in METHODS:
        run, *_ = prepared(method)
        pairs = [(seconds(product, asking, offering), seconds(run, asking, offering)) for _ in range(repeats + 1)][1:]
        figures.append((PRODUCT, f"seconds beside {method}", [plain for plain, _ in pairs]))
        figures.append((method, "seconds", [own for _, own in pairs]))
        figures.append((method, "times the matrix product", [own / plain for plain, own in pairs]))
    return figures


def seconds(run: Callable[..., Any], asking: Any, offering: Any) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    run(asking, offering)
    return time.perf_counter() - begin


def prepared(method: str) -> tuple[Callable[..., Any], Any, Any]:
    """The method as a function of the features [places, channels], and both features."""
    from functools import partial

    import torch

    from ..correspondence.nearest import best_places, mutual_places
    from ..correspondence.soft import soft_places

    torch.set_num_threads(1)  # threads have buffers of their own
    run: dict[str, Callable[..., Any]] = {
        PRODUCT: lambda asking, offering: asking @ offering.T,
        "nearest": best_places,
        "mutual": mutual_places,
        "soft": partial(soft_places, temperature=0.05, candidates=8),
    }
    generator = torch.Generator().manual_seed(0)
    asking, offering = (torch.randn(PLACES, CHANNELS, generator=generator) for _ in range(2))
    return run[method], asking, offering
