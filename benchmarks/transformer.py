"""Does the transfer work on a transformer? Pairs of pocket scenes at 256 px on the pocket transformer.

`python dev.py bench transformer [--pairs N] [--only NAME ...]` writes results/transformer_pairs.csv (every value of
every pair), results/transformer.csv (means with 95 % bootstrap intervals, and differences pair by pair against doing
nothing and against "by likeness"), a sheet, and a plot of effect against cost of the methods that were run in several
numbers of steps. Evaluations are counted at the networks. Methods that are not run keep the values that an earlier run
has written. `--tuning` takes other pairs, on which settings are chosen, and writes
transformer_tuning.csv and its like.
"""

from __future__ import annotations

import argparse
import re
from functools import partial
from pathlib import Path
from statistics import mean

import numpy as np
import torch
from torch import Tensor

from ..developer.cli_output import CliError, echo
from ..developer.installation import Installation
from .hosts import in_hosts
from .reporting.cases import Cases, joined, read_cases, write_cases
from .reporting.front import Front, write_front
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table
from .transfers.measures import measure
from .transfers.pair_options import add_only, add_workers, pair_parser, parsed
from .transfers.pairs import FIRST_SEED, ScenePair, held_out_pairs, rendered

SIZE, BATCH, DISPLAYED = 256, 8, 8
TUNING_SEED = 800_000
NOTHING, LIKENESS = "resumed only", "by likeness"
AGAINST = {NOTHING: "against doing nothing", LIKENESS: "against by likeness"}
"""What the others are compared with, and how a row of differences begins."""
METRICS = ("part_color_error", "silhouette_iou", "background_change")
Images = dict[str, np.ndarray]


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every method, write the results, say the table."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs, TUNING_SEED if options.tuning else FIRST_SEED)
    batches = [pairs[first : first + BATCH] for first in range(0, len(pairs), BATCH)]
    parts = in_hosts(installation.host, partial(_run, only=tuple(options.only)), batches, options.workers)
    measured = joined([values for values, _ in parts])
    name = "transformer_tuning" if options.tuning else "transformer"
    path = options.out / f"{name}_pairs.csv"
    earlier = read_cases(path)
    every = earlier | measured
    most = max(len(cases) for metrics in every.values() for cases in metrics.values())
    write_cases(path, ("pair",), ((row,) for row in range(most)), every)
    table = every | compared(every)
    write_table(options.out / f"{name}.csv", table, rows_stay=bool(earlier.keys() - measured.keys()))
    if points := by_steps(every):
        write_front(options.out / f"{name}_front.png", "Effect against cost on the transformer, true masks", points)
    _write_sheet(options.out / f"{options.sheet or name}.png", pairs, [images for _, images in parts])
    echo(as_text(table))
    return 0


def compared(values: Cases) -> Cases:
    """How far each method lies from doing nothing, and from attention by likeness, on the pairs that both have."""
    differences: Cases = {}
    for other, against in AGAINST.items():
        for name, metrics in values.items():
            if other in values and name != other:
                differences[f"{against}: {name}"] = {
                    metric: [a - b for a, b in zip(metrics[metric], values[other][metric], strict=False)]
                    for metric in METRICS
                }
    return differences


def by_steps(values: Cases) -> dict[str, Front]:
    """The methods whose number of steps was varied, named with it behind a comma: what to draw of each."""
    found: dict[str, Front] = {}
    for name, metrics in values.items():
        method, _, setting = name.rpartition(", ")
        if re.fullmatch(r"\d+ steps", setting):
            evaluations, error, iou = (mean(metrics[m]) for m in ("evaluations", *METRICS[:2]))
            found.setdefault(method, []).append((evaluations, error, iou, setting))
    return {method: points for method, points in found.items() if len(points) > 1}


def _run(pairs: list[ScenePair], bar: int, only: tuple[str, ...]) -> tuple[Cases, Images]:
    """The measures of all methods, or of those in `only`, on a batch of pairs, and the images. Needs ComfyUI."""
    from tqdm import tqdm

    from .transfers.on_transformer import transformer_models
    from .transfers.transformer_methods import METHODS

    if unknown := set(only) - METHODS.keys():
        raise CliError(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(METHODS)}.")
    models, truth = transformer_models(), rendered(pairs, SIZE)
    values: Cases = {}
    images: Images = {}
    for name in tqdm([name for name in METHODS if not only or name in only], position=bar, leave=False):
        with torch.inference_mode():
            outputs = METHODS[name](models, truth)
        output = outputs.images.cpu().float()
        measures = measure(output, truth)
        evaluations = {"evaluations": outputs.evaluations, "matching_evaluations": outputs.matching_evaluations}
        values[name] = {metric: [value] * len(pairs) for metric, value in evaluations.items()}
        values[name] |= {metric: measures[metric] for metric in METRICS}
        images[name] = output.numpy()
    return values, images


def _write_sheet(path: Path, pairs: list[ScenePair], parts: list[Images]) -> None:
    truth = rendered(pairs[:DISPLAYED], SIZE)
    panels: dict[str, Tensor] = {"structure": truth.structure.image, "appearance": truth.appearance.image}
    for name in parts[0]:
        panels[name] = torch.from_numpy(np.concatenate([part[name] for part in parts])[:DISPLAYED])
    panels.pop("identity", None)
    write_sheet(path, panels)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("transformer", __doc__ or "", 32)
    add_only(parser, "methods")
    add_workers(parser)
    parser.add_argument("--tuning", action="store_true", help="the pairs on which settings are chosen")
    parser.add_argument("--sheet", metavar="NAME", help="name of the sheet (default: that of the table)")
    return parsed(parser, arguments)
