"""Matching against one plain matrix product of the same size: peak extra memory, and time, side by side.

64 x 64 positions ask 64 x 64 positions with 1280 channels in fp32, on the CPU with one thread. Memory is the rise of
the process's resident memory above the two sets of features, each figure in a fresh process; times alternate between
the methods in one process, and each ratio is of two runs next to each other. Writes results/matching_memory.csv.
"""

import argparse
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..developer.cli_output import echo
from .measuring.fresh_process import in_fresh_process
from .measuring.peak_memory import MEBIBYTE, memory_rise
from .reporting import RESULTS
from .reporting.table import as_text, write_table

POSITIONS, CHANNELS = 4096, 1280
PRODUCT, METHODS = "matrix product", ("nearest", "mutual", "soft")


def main(installation: object, arguments: Sequence[str]) -> int:
    """Measure every method and write the table."""
    parser = argparse.ArgumentParser(prog="dev.py bench matching_memory", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs per figure (default: 5)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    parsed = parser.parse_args(arguments)
    values: dict[str, dict[str, list[float]]] = {}
    for method in (PRODUCT, *METHODS):
        rises = [in_fresh_process(rise, method) / MEBIBYTE for _ in range(parsed.repeats)]
        values[method] = {"peak extra MiB": rises}
    for method, metric, taken in in_fresh_process(times, parsed.repeats):
        values[method][metric] = taken
    write_table(parsed.out / "matching_memory.csv", values)
    echo(as_text(values))
    return 0


def rise(method: str) -> int:
    """How many bytes the peak of this process rises above the features."""
    run, queries, keys = prepared(method)
    run(queries[:8], keys[:8])  # loads what is loaded on first use
    return memory_rise(partial(run, queries, keys))


def times(repeats: int) -> list[tuple[str, str, list[float]]]:
    """Seconds of each method, and as a share of the matrix product just before it; the first round does not count."""
    product, queries, keys = prepared(PRODUCT)
    figures = []
    for method in METHODS:
        run, *_ = prepared(method)
        pairs = [(seconds(product, queries, keys), seconds(run, queries, keys)) for _ in range(repeats + 1)][1:]
        figures.append((PRODUCT, f"seconds beside {method}", [plain for plain, _ in pairs]))
        figures.append((method, "seconds", [own for _, own in pairs]))
        figures.append((method, "times the matrix product", [own / plain for plain, own in pairs]))
    return figures


def seconds(run: Callable[..., Any], queries: Any, keys: Any) -> float:
    """Wall time of one call."""
    begin = time.perf_counter()
    run(queries, keys)
    return time.perf_counter() - begin


def prepared(method: str) -> tuple[Callable[..., Any], Any, Any]:
    """The method as a function of the features [positions, channels], and both features."""
    from functools import partial

    import torch

    from ..correspondence.nearest import best_positions, mutual_positions
    from ..correspondence.softmax_match import soft_positions

    torch.set_num_threads(1)  # threads have buffers of their own
    run: dict[str, Callable[..., Any]] = {
        PRODUCT: lambda queries, keys: queries @ keys.T,
        "nearest": best_positions,
        "mutual": mutual_positions,
        "soft": partial(soft_positions, temperature=0.05, candidates=8),
    }
    generator = torch.Generator().manual_seed(0)
    queries, keys = (torch.randn(POSITIONS, CHANNELS, generator=generator) for _ in range(2))
    return run[method], queries, keys
