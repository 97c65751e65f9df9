"""Does the transfer do what it says? Pairs of pocket scenes that no training has seen, against baselines and ablations.

`python dev.py bench effect [--size PIXELS] [--pairs N] [--only NAME ...]` writes results/effect_pairs.csv (every value
of every pair), results/effect.csv (means of them with 95 % bootstrap intervals) and a sheet of some of the images; at
256 px effect_256_pairs.csv and so on. Methods that are not run keep the values that an earlier run has written.
"""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path

from torch import Tensor

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..pocket.segmenter import WEIGHTS, segmenter_metadata
from .reporting.cases import Cases, read_cases, write_cases
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table
from .transfers.batches import run_methods_in_processes
from .transfers.measures import measure
from .transfers.pair_options import add_only, add_workers, pair_parser, parsed
from .transfers.pairs import NETWORK_OF_SIZE, SIZE, ScenePair, held_out_pairs, rendered

DISPLAYED = 8
MIRRORED, GAINED, OVER_OURS = ", mirrored to match", "gained by mirroring", "gained over ours by"
COMPARED = ("color transfer", "AdaIN only", "eye-for-an-eye", "fine-grained, 20 steps", "ours, found")
"""The methods that are set against ours."""
BETTER = {"part_color_error": -1, "silhouette_iou": 1}
"""The measures in which a gain is given: whether more is better (1) or worse."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every method, write the results, say the table."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs)
    outputs = run_methods_in_processes(installation.host, pairs, options.only, options.workers, options.size)
    values = measured(pairs, outputs, options.size)
    echo(as_text(write_results(options.out, pairs, values, outputs, options.sheet, options.size)))
    echo(_about_the_classifier())
    return 0


def measured(pairs: list[ScenePair], outputs: dict[str, Tensor], size: int = SIZE) -> Cases:
    """Every measure of every method's outputs [pairs, size, size, 3]."""
    truth = rendered(pairs, size)
    return {name: measure(images, truth) for name, images in outputs.items()}


def by_side(pairs: list[ScenePair], values: Cases, method: str = "ours") -> Cases:
    """The values of one method apart for pairs that face the same way and pairs that do not."""
    split: Cases = {}
    for same, name in ((True, f"{method}, facing the same way"), (False, f"{method}, facing opposite ways")):
        rows = [row for row, pair in enumerate(pairs) if pair.same_side == same]
        if rows and method in values:
            metrics = values[method].items()
            split[name] = {metric: [cases[row] for row in rows if row < len(cases)] for metric, cases in metrics}
    return split


def gained(values: Cases) -> Cases:
    """What mirroring to match gains over the same method without it, on the pairs that both have: above 0 is better."""
    gains: Cases = {}
    for name, with_it in values.items():
        plain = name.replace(MIRRORED, "", 1)
        if MIRRORED in name and plain in values:
            gains[f"{GAINED}: {plain}"] = _gain(values[plain], with_it)
    return gains


def compared(values: Cases) -> Cases:
    """What other ways of transferring gain over Cross-Image Attention, pair by pair: above 0 is better."""
    return {
        f"{OVER_OURS}: {name}": _gain(values["ours"], values[name])
        for name in COMPARED
        if name in values and "ours" in values
    }


def _gain(before: Mapping[str, list[float]], after: Mapping[str, list[float]]) -> dict[str, list[float]]:
    return {
        metric: [sign * (b - a) for a, b in zip(before[metric], after[metric], strict=False)]
        for metric, sign in BETTER.items()
    }


def write_results(
    folder: Path,
    pairs: list[ScenePair],
    values: Cases,
    outputs: dict[str, Tensor],
    sheet: str | None,
    size: int = SIZE,
) -> Cases:
    """The values with those of earlier runs, the table of them all, which is returned, and the first images."""
    name = "effect" if size == SIZE else f"effect_{size}"
    path = folder / f"{name}_pairs.csv"
    earlier = read_cases(path)
    every = earlier | values
    pairs = held_out_pairs(max(len(cases) for metrics in every.values() for cases in metrics.values()))
    columns = ("pair", "structure_seed", "appearance_seed", "structure", "appearance", "same_side")
    write_cases(path, columns, (_metadata(row, pair) for row, pair in enumerate(pairs)), every)
    table = every | by_side(pairs, every) | gained(every) | compared(every)
    write_table(folder / f"{name}.csv", table, rows_stay=bool(earlier.keys() - values.keys()))
    truth = rendered(pairs[:DISPLAYED], size)
    panels = {"structure": truth.structure.image, "appearance": truth.appearance.image}
    panels |= {name: images[:DISPLAYED] for name, images in outputs.items() if name != "identity"}
    write_sheet(folder / f"{sheet or name}.png", panels)
    return table


def _metadata(row: int, pair: ScenePair) -> tuple[object, ...]:
    structure, appearance = pair.structure, pair.appearance
    return row, structure.seed, appearance.seed, structure.species, appearance.species, int(pair.same_side)


def _about_the_classifier() -> str:
    if not WEIGHTS.exists():
        return "There is no trained judge of silhouettes; only the rule by color was applied."
    metadata = segmenter_metadata()
    return (
        f"The judge of silhouettes (pocket/segmenter.py) is itself right to IoU {metadata['silhouette_iou_rendered']} "
        f"on held-out rendered scenes and {metadata['silhouette_iou_decoded']} on the same through the autoencoder."
    )


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("effect", __doc__ or "", 32)
    add_only(parser, "methods")
    add_workers(parser)
    parser.add_argument("--size", type=int, default=SIZE, choices=NETWORK_OF_SIZE, help="of the images, in pixels")
    parser.add_argument("--sheet", metavar="NAME", help="name of the sheet (default: that of the table)")
    return parsed(parser, arguments)
