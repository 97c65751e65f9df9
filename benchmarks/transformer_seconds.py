"""How long a transfer on the pocket transformer takes: one pair at 256 px, nothing kept from another method.

`python dev.py bench transformer_seconds [--only NAME ...]` runs every method of the table of transfers on one pair, in
turns, and writes results/transformer_seconds.csv: seconds with inversion, objects and matches, and evaluations of both
networks. Machines differ; the shares of methods in one run say more than the seconds.
"""

from __future__ import annotations

import argparse
import time
from pathlib import Path

import torch

from ..developer.cli_output import CliError, echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .reporting import RESULTS
from .reporting.cases import Cases
from .reporting.table import as_text, write_table
from .transfers.pairs import held_out_pairs, rendered

SIZE = 256


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure, write the table, say it."""
    options = _options(arguments)
    with temporary_home() as home:
        Host(installation.host, home)
        values = measured(options.only, options.repeats)
    write_table(options.out / "transformer_seconds.csv", values)
    echo(as_text(values))
    return 0


def measured(only: list[str], repeats: int) -> Cases:
    """Seconds of every repeat, and evaluations, by method; the first round warms up and is not kept. Needs ComfyUI."""
    from .transfers.on_transformer import inverted, transformer_models
    from .transfers.pair_guidance import guidance_of
    from .transfers.transformer_methods import METHODS

    if unknown := set(only) - METHODS.keys():
        raise CliError(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(METHODS)}.")
    models, truth = transformer_models(), rendered(held_out_pairs(1), SIZE)
    chosen = {name: method for name, method in METHODS.items() if not only or name in only}
    values: Cases = {}
    for kept in [False] + [True] * repeats:
        for name, method in chosen.items():
            inverted.cache_clear()
            guidance_of.cache_clear()
            started = time.monotonic()
            with torch.inference_mode():
                outputs = method(models, truth)
            if kept:
                found = values.setdefault(name, {"seconds": [], "evaluations": []})
                found["seconds"].append(time.monotonic() - started)
                found["evaluations"].append(outputs.evaluations + outputs.matching_evaluations)
    return values


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="dev.py bench transformer_seconds", description=(__doc__ or "").splitlines()[0]
    )
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these methods alone; all if left out")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="rounds that are kept (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error("--repeats must be 1 or more")
    return options
