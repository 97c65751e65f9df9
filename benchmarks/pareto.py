"""Effect against cost: the transfers at 4 to 100 steps, their evaluations counted at the network.

`python dev.py bench pareto [--pairs N] [--only NAME ...]` writes results/pareto_pairs.csv (every value of every pair),
results/pareto.csv (means with 95 % bootstrap intervals, and how far each setting lies from the paper's, pair by pair)
and pareto.png. With the true masks, so that only the transfer is measured. The paper's settings of Latent Deviation,
which learn null text, are measured on the first 16 pairs alone.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from functools import partial

from ..developer.cli_output import CliError, echo
from ..developer.installation import Installation
from .hosts import in_hosts
from .reporting.cases import Cases, joined, read_cases, write_cases
from .reporting.front import Front, write_front
from .reporting.table import as_text, write_table
from .transfers.pair_options import add_only, add_workers, pair_parser, parsed
from .transfers.pairs import ScenePair, held_out_pairs

ERROR, IOU, EVALUATIONS = "part_color_error", "silhouette_iou", "evaluations"
PAPER = "the paper's settings"
BATCH = 8


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every setting, write the results, say the table."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs)
    batches = [(first, pairs[first : first + BATCH]) for first in range(0, len(pairs), BATCH)]
    work = partial(_run, only=tuple(options.only))
    measured = joined(in_hosts(installation.host, work, batches, options.workers))
    path = options.out / "pareto_pairs.csv"
    every = read_cases(path) | measured
    write_cases(path, ("pair",), ((row,) for row in range(len(pairs))), every)
    table = every | from_the_paper(every)
    write_table(options.out / "pareto.csv", table, rows_stay=bool(every.keys() - measured.keys()))
    write_front(options.out / "pareto.png", "Effect against cost, true masks", fronts(every))
    echo(as_text(table))
    return 0


def from_the_paper(values: Cases) -> Cases:
    """How far each setting lies from the paper's settings of its method, pair by pair."""
    differences: Cases = {}
    for name, metrics in values.items():
        method, _, setting = name.partition(", ")
        paper = values.get(f"{method}, {PAPER}")
        if paper is None or setting == PAPER:
            continue
        differences[f"{name}, less the paper's"] = {
            metric: [a - b for a, b in zip(metrics[metric], paper[metric], strict=False)] for metric in (ERROR, IOU)
        }
    return differences


def fronts(values: Mapping[str, Mapping[str, list[float]]]) -> dict[str, Front]:
    """Method -> what to draw of it: evaluations, error and silhouette of every setting, and the setting's name."""
    found: dict[str, Front] = {}
    for name, metrics in values.items():
        method, _, setting = name.partition(", ")
        evaluations, error, iou = (sum(metrics[m]) / len(metrics[m]) for m in (EVALUATIONS, ERROR, IOU))
        found.setdefault(method, []).append((evaluations, error, iou, setting))
    return found


def _run(batch: tuple[int, list[ScenePair]], bar: int, only: tuple[str, ...]) -> Cases:
    """The measures of all settings, or of those in `only`, on a batch: the number of its first pair, and the pairs.
    Needs ComfyUI."""
    import torch
    from tqdm import tqdm

    from .evaluation_counter import EvaluationCount
    from .transfers.at_settings import ON_FEWER_PAIRS, SETTINGS
    from .transfers.inverted import pocket_models
    from .transfers.measures import measure
    from .transfers.pairs import SIZE, rendered

    if unknown := set(only) - SETTINGS.keys():
        raise CliError(f"There is no setting {', '.join(sorted(unknown))}; there are: {', '.join(SETTINGS)}.")
    first, pairs = batch
    models, truth = pocket_models(), rendered(pairs, SIZE)
    values: Cases = {}
    chosen = [name for name in SETTINGS if (not only or name in only) and first < ON_FEWER_PAIRS.get(name, first + 1)]
    for name in tqdm(chosen, position=bar, leave=False):
        count = EvaluationCount(models.model.model.diffusion_model)
        with torch.inference_mode():
            images = SETTINGS[name](models, truth).cpu().float()
        count.close()
        per_pair = sum(count.by_node.values()) / len(pairs)
        measures = measure(images, truth)
        values[name] = {EVALUATIONS: [per_pair] * len(pairs)} | {metric: measures[metric] for metric in (ERROR, IOU)}
    return values


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("pareto", __doc__ or "", 32)
    add_only(parser, "settings")
    add_workers(parser)
    return parsed(parser, arguments)
