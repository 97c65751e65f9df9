"""How long a transfer takes on each pocket network: one pair at 256 px, nothing kept from another method.

`python dev.py bench transfer_seconds [--only NAME ...]` runs the methods of the two networks on one pair, in turns, and
writes results/transfer_seconds.csv: seconds with inversion, objects and matches, and evaluations of all networks; on
the U-Net 3 of them more than the nodes take, since the objects are found apart. Machines differ; the shares of methods
in one run say more than the seconds.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from pathlib import Path

import torch

from ..developer.cli_output import CliError, echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .reporting import RESULTS
from .reporting.cases import Cases
from .reporting.table import as_text, write_table
from .transfers.pairs import RenderedPairs, held_out_pairs, rendered

SIZE = 256
ON_UNET = ("ours, found", "eye-for-an-eye, found", "fine-grained, found, 20 steps")
PREFIX = "U-Net: "
"""How the methods of the U-Net are named here; the others are those of `bench transformer`."""
Work = Callable[[RenderedPairs], float]
"""One pair transferred -> the evaluations that it took."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure, write the table, say it."""
    options = _options(arguments)
    with temporary_home() as home:
        Host(installation.host, home)
        values = measured(options.only, options.repeats)
    write_table(options.out / "transfer_seconds.csv", values)
    echo(as_text(values))
    return 0


def measured(only: list[str], repeats: int) -> Cases:
    """Seconds of every repeat, and evaluations, by method; the first round warms up and is not kept. Needs ComfyUI."""
    methods = {**{PREFIX + name: _on_unet(name) for name in ON_UNET}, **_on_transformer()}
    if unknown := set(only) - methods.keys():
        raise CliError(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(methods)}.")
    truth = rendered(held_out_pairs(1), SIZE)
    chosen = {name: work for name, work in methods.items() if not only or name in only}
    values: Cases = {}
    for kept in [False] + [True] * repeats:
        for name, work in chosen.items():
            _forget()
            started = time.monotonic()
            with torch.inference_mode():
                evaluations = work(truth)
            if kept:
                found = values.setdefault(name, {"seconds": [], "evaluations": []})
                found["seconds"].append(time.monotonic() - started)
                found["evaluations"].append(evaluations)
    return values


def _on_unet(name: str) -> Work:
    from .evaluation_counter import EvaluationCount
    from .transfers.methods import METHODS
    from .transfers.pair_guidance import unet
    from .transfers.prepared import prepared

    def work(truth: RenderedPairs) -> float:
        count = EvaluationCount(unet().model.model.diffusion_model)
        METHODS[name](unet(), prepared(truth))
        count.close()
        return float(sum(count.by_node.values()))

    return work


def _on_transformer() -> dict[str, Work]:
    from .transfers.on_transformer import Method, transformer_models
    from .transfers.transformer_methods import METHODS

    models = transformer_models()

    def working(method: Method) -> Work:
        def work(truth: RenderedPairs) -> float:
            outputs = method(models, truth)
            return outputs.evaluations + outputs.matching_evaluations

        return work

    return {name: working(method) for name, method in METHODS.items()}


def _forget() -> None:
    """Nothing that another method has prepared is at hand."""
    from .transfers.on_transformer import inverted
    from .transfers.pair_guidance import guidance_of
    from .transfers.prepared import prepared

    for kept in (inverted, guidance_of, prepared):
        kept.cache_clear()


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench transfer_seconds", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="these methods alone; all if left out")
    parser.add_argument("--repeats", type=int, default=3, metavar="N", help="rounds that are kept (default: 3)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error("--repeats must be 1 or more")
    return options
