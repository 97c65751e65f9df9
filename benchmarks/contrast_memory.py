"""Peak memory of contrasted attention as the token grid grows: O(N), where the whole map would be O(N^2).

Each figure is the rise of the process's resident memory above its inputs, in a fresh process, on the CPU in fp32.
Writes results/contrast_memory.csv.
"""

import argparse
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

from ..developer.cli_output import echo
from .measuring.fresh_process import in_fresh_process
from .measuring.peak_memory import MEBIBYTE, memory_rise
from .reporting import RESULTS
from .reporting.table import as_text, write_table

TOKENS = (1024, 4096, 16384)  # the 32x32, 64x64 and 128x128 grids of 256, 512 and 1024 px images
HEADS, WIDTH = 8, 40  # of SD1.5's decoder layers at the latent's resolution
METHODS: dict[str, dict[str, Any]] = {
    "plain attention": {"contrast": 1.0},
    "contrast without clip": {"clip": False},
    "contrast with clip": {},
    "contrast with clip, whole map": {"query_chunk": TOKENS[-1]},
}
LARGEST_WHOLE_MAP = 4096  # the next one would take 8 GiB for each of its copies


def main(installation: object, arguments: Sequence[str]) -> int:
    """Measure every method at every size and write the table."""
    parser = argparse.ArgumentParser(prog="dev.py bench contrast_memory", description=__doc__)
    parser.add_argument("--repeats", type=int, default=3, help="fresh processes per figure (default: 3)")
    parser.add_argument("--tokens", type=int, nargs="+", default=TOKENS, metavar="N", help=f"default: {TOKENS}")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    parsed = parser.parse_args(arguments)
    values: dict[str, dict[str, list[float]]] = {}
    for method, options in METHODS.items():
        for tokens in parsed.tokens:
            if "query_chunk" in options and tokens > LARGEST_WHOLE_MAP:
                continue
            rises = [in_fresh_process(rise, tokens, options) / MEBIBYTE for _ in range(parsed.repeats)]
            values.setdefault(method, {})[f"peak MiB at N={tokens}"] = rises
    write_table(parsed.out / "contrast_memory.csv", values)
    echo(as_text(values))
    return 0


def rise(tokens: int, options: dict[str, Any]) -> int:
    """How many bytes the peak of this process rises above q, k and v of one image with that many tokens."""
    import torch

    from ..attention.contrast import contrasted_attention

    torch.set_num_threads(1)  # threads have buffers of their own
    q, k, v = torch.randn(3, 1, HEADS, tokens, WIDTH, generator=torch.Generator().manual_seed(0))
    contrasted_attention(q[..., :8, :], k[..., :8, :], v[..., :8, :], **options)  # loads what is loaded on first use
    return memory_rise(partial(contrasted_attention, q, k, v, **options))
