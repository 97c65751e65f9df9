"""Which block of the transformer knows the same spot of another animal, at which noise level? Pocket pairs at 256 px.

`python dev.py bench probe_features [--pairs N] [--ensemble N] [--timesteps T ...]` writes probe_features.csv into
--out: PCK@0.1 of the tokens, queries and keys of every block at several noise levels, with nearest neighbors and with
the field, mirrored as fits; and with nearest neighbors where the appearance is moved by a quarter of its size, so that
positions cannot help. Settings are chosen by it, so its pairs are others than the held-out ones.
"""

from __future__ import annotations

import argparse
from functools import partial

import torch
from tqdm import tqdm

from ..correspondence.dift import FACETS
from ..correspondence.match import FIELD, NEAREST, match
from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .matches.keypoints import Keypoints, fractions_found, keypoints_of
from .matches.sides import both_ways, decided_right
from .reporting.table import as_text, write_table
from .transfers.pair_options import pair_parser, parsed
from .transfers.pairs import RenderedPairs, held_out_pairs, rendered

SIZE, TUNING_SEED = 256, 800_000
TIMESTEPS = (200, 400, 600, 700, 800, 900)
BY_NEAREST, BY_FIELD, BY_NEAREST_MOVED, SIDE = (
    "PCK@0.1, nearest",
    "PCK@0.1, field",
    "PCK@0.1, nearest, appearance moved",
    "mirrored where it should be",
)
Results = dict[str, dict[str, list[float]]]
DISPLAYED = 10


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every reading, write the table, say the best."""
    options = _options(arguments)
    truth = rendered(held_out_pairs(options.pairs, TUNING_SEED), SIZE)
    with temporary_home() as home, torch.inference_mode():
        Host(installation.host, home)
        values = measured(truth, options)
    write_table(options.out / "probe_features.csv", values)
    for metric in (BY_NEAREST, BY_FIELD, BY_NEAREST_MOVED):
        echo(f"The best by {metric}:")
        echo(as_text({name: values[name] for name in best(values, metric)}))
    return 0


def measured(truth: RenderedPairs, options: argparse.Namespace) -> Results:
    """Every measure of every reading at every level, and of positions alone. Needs ComfyUI."""
    from .matches.block_probe import every_reading, sides_of
    from .matches.plain import position
    from .transfers.on_transformer import transformer_models

    models, keypoints = transformer_models(), keypoints_of(truth)
    readings = [reading for reading in every_reading(models) if reading.facet in options.facets]
    alone = position(truth.structure.image)
    values: Results = {"positions alone": _measures((alone, alone, alone), truth, keypoints)}
    for timestep in tqdm(options.timesteps, leave=False):
        plain, elsewhere = sides_of(models, truth, timestep, options.ensemble, readings)
        for reading, sides, others in zip(readings, plain, elsewhere, strict=True):
            name = f"{reading.facet} of block {reading.block}, timestep {timestep}"
            values[name] = _measures(sides, truth, keypoints)
            values[name][BY_NEAREST_MOVED] = _found(others, NEAREST, truth, keypoints)[0]
    return values


def best(values: Results, metric: str) -> list[str]:
    """The names of the rows with the highest means."""
    means = {name: sum(row[metric]) / len(row[metric]) for name, row in values.items() if metric in row}
    return sorted(means, key=lambda name: -means[name])[:DISPLAYED]


def _measures(sides: tuple, truth: RenderedPairs, keypoints: Keypoints) -> dict[str, list[float]]:
    nearest, right = _found(sides, NEAREST, truth, keypoints)
    field, _ = _found(sides, FIELD, truth, keypoints)
    return {BY_NEAREST: nearest, BY_FIELD: field, SIDE: right}


def _found(sides: tuple, method: str, truth: RenderedPairs, keypoints: Keypoints) -> tuple[list[float], list[float]]:
    """PCK inside the true masks, mirrored as fits, and whether that was right (1), of every pair."""
    ways = both_ways(sides, partial(match, method=method), truth)
    mirrored = ways.by_cosine()
    return fractions_found(ways.taken(mirrored), keypoints).tolist(), decided_right(mirrored, truth)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("probe_features", __doc__ or "", 24)
    parser.add_argument("--ensemble", type=int, default=8, metavar="N", help="noisy looks at an image (default: 8)")
    parser.add_argument("--timesteps", type=int, nargs="+", default=TIMESTEPS, metavar="T", help="noise, 0 to 999")
    parser.add_argument("--facets", nargs="+", choices=FACETS, default=FACETS, help="what is read (default: all)")
    return parsed(parser, arguments)
