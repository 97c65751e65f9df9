"""Matching against one plain matrix product of the same size, and the field against nearest neighbors: peak extra
memory, and time, side by side.

64 x 64 positions ask 64 x 64 positions with 1280 channels in fp32, on the CPU with one thread; most are the nearest of
their nearest, so that the field has as many seeds as it ever has. Memory is the rise of the process's resident memory
above the two sets of features, each figure in a fresh process; times alternate between the methods in one process, and
each ratio is of two runs next to each other. Writes results/matching_memory.csv.
"""

import argparse
import math
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

SIDE, CHANNELS = 64, 1280
FEW = 64
"""Positions of what is matched beforehand, 8 x 8."""
PRODUCT, NEAREST, FIELD = "matrix product", "nearest", "field"
BESIDE = {NEAREST: PRODUCT, "mutual": PRODUCT, "soft": PRODUCT, FIELD: NEAREST}
"""What is timed next to each method."""


def main(installation: object, arguments: Sequence[str]) -> int:
    """Measure every method and write the table."""
    parser = argparse.ArgumentParser(prog="dev.py bench matching_memory", description=__doc__)
    parser.add_argument("--repeats", type=int, default=5, help="runs per figure (default: 5)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    parsed = parser.parse_args(arguments)
    values: dict[str, dict[str, list[float]]] = {}
    for method in (PRODUCT, *BESIDE):
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
    run(queries[:FEW], keys[:FEW])  # loads what is loaded on first use
    return memory_rise(partial(run, queries, keys))


def times(repeats: int) -> list[tuple[str, str, list[float]]]:
    """Seconds of each method, and how many times those of what ran just before it; the first round does not count."""
    figures = []
    for method, other in BESIDE.items():
        before, queries, keys = prepared(other)
        run, *_ = prepared(method)
        pairs = [(seconds(before, queries, keys), seconds(run, queries, keys)) for _ in range(repeats + 1)][1:]
        figures.append((other, f"seconds beside {method}", [plain for plain, _ in pairs]))
        figures.append((method, "seconds", [own for _, own in pairs]))
        figures.append((method, f"times the {other}", [own / plain for plain, own in pairs]))
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

    from ..correspondence.field import FieldMatches, FieldQuery, field_matches
    from ..correspondence.nearest import best_positions, mutual_positions
    from ..correspondence.softmax_match import soft_positions

    def by_field(queries: torch.Tensor, keys: torch.Tensor) -> FieldMatches:
        side = math.isqrt(len(queries))
        everywhere = torch.ones(side, side, dtype=torch.bool)
        return field_matches(
            FieldQuery(*(one.T.unflatten(1, (side, side)) for one in (queries, keys)), everywhere, everywhere)
        )

    torch.set_num_threads(1)  # threads have buffers of their own
    run: dict[str, Callable[..., Any]] = {
        PRODUCT: lambda queries, keys: queries @ keys.T,
        NEAREST: best_positions,
        "mutual": mutual_positions,
        "soft": partial(soft_positions, temperature=0.05, candidates=8, floor=-1.0),
        FIELD: by_field,
    }
    generator = torch.Generator().manual_seed(0)
    queries, noise = (torch.randn(SIDE**2, CHANNELS, generator=generator) for _ in range(2))
    return run[method], queries, queries + noise
