"""Does the transfer do what it says? Pairs of pocket scenes that no training has seen, against baselines and ablations.

`python dev.py bench effect [--pairs N] [--only NAME ...]` writes results/effect.csv (means with 95 % bootstrap
intervals over pairs), results/effect_pairs.csv (every value behind them) and results/effect.png (some of the pictures).
"""

from __future__ import annotations

import argparse
import csv
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from ..developer.console import Trouble, say
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .reporting import RESULTS
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table
from .transfers.measures import measure
from .transfers.pairs import Pair, RenderedPairs, held_out_pairs, rendered

if TYPE_CHECKING:
    from .transfers.inverted import InvertedPairs, Models

SIZE = 128
SHOWN = 8
Method = Callable[["Models", "InvertedPairs"], Tensor]
Results = dict[str, dict[str, list[float]]]


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every method, write the results, say the table."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs)
    with temporary_home() as home:
        Host(installation.host, home)
        with torch.inference_mode():
            values, pictures = measure_methods(pairs, options.batch, options.only)
    write_results(options.out, pairs, values, pictures)
    say(as_text(values))
    return 0


def methods() -> dict[str, Method]:
    """Every row of the table by its name. Needs the host."""
    from .transfers.baselines import colour_transfer, image_to_image
    from .transfers.variants import VARIANTS, transfer

    rows: dict[str, Method] = {
        "identity": lambda models, pairs: pairs.truth.structure.image,
        "autoencoder": lambda models, pairs: models.decode(models.encode(pairs.truth.structure.image)),
        "colour transfer": lambda models, pairs: colour_transfer(
            pairs.truth.structure.image, pairs.truth.appearance.image
        ),
        "img2img": image_to_image,
    }
    for variant in VARIANTS:
        rows[variant.name] = lambda models, pairs, variant=variant: transfer(models, pairs, variant)
    return rows


def measure_methods(
    pairs: list[Pair], batch: int = 16, only: list[str] | None = None
) -> tuple[Results, dict[str, Tensor]]:
    """Values (method -> measure -> one per pair) and the pictures [pairs, H, W, 3] of every method.

    Inverts every pair once for all methods. batch: pairs in the network at a time. only: names of methods, all if None.
    """
    from .transfers.inverted import invert_pairs, pocket_models

    known = methods()
    unknown = set(only or ()) - known.keys()
    if unknown:
        raise Trouble(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(known)}.")
    chosen = {name: method for name, method in known.items() if not only or name in only}
    models = pocket_models()
    pictures: dict[str, list[Tensor]] = {name: [] for name in ("structure", "appearance", *chosen)}
    values: Results = {name: {} for name in chosen}
    batches = [pairs[first : first + batch] for first in range(0, len(pairs), batch)]
    with tqdm(total=len(batches) * (len(chosen) + 1), unit="method") as bar:
        for some in batches:
            bar.set_postfix_str("inverting")
            inverted = invert_pairs(models, rendered(some, SIZE))
            bar.update()
            _keep(pictures, "structure", inverted.truth.structure.image)
            _keep(pictures, "appearance", inverted.truth.appearance.image)
            for name, method in chosen.items():
                bar.set_postfix_str(name)
                output = method(models, inverted).cpu().float()
                _keep(pictures, name, output)
                _add(values[name], output, inverted.truth)
                bar.update()
    return values, {name: torch.cat(pieces) for name, pieces in pictures.items()}


def write_results(folder: Path, pairs: list[Pair], values: Results, pictures: dict[str, Tensor]) -> None:
    """The table, the values behind it, and the first pictures."""
    write_table(folder / "effect.csv", values | by_side(pairs, values))
    _write_values(folder / "effect_pairs.csv", pairs, values)
    write_sheet(folder / "effect.png", {name: some[:SHOWN] for name, some in pictures.items()})


def by_side(pairs: list[Pair], values: Results, method: str = "ours") -> Results:
    """The same values of one method, apart for pairs that face the same way and pairs that do not."""
    split: Results = {}
    for same, name in ((True, f"{method}, facing the same way"), (False, f"{method}, facing opposite ways")):
        rows = [row for row, pair in enumerate(pairs) if pair.same_side == same]
        if rows and method in values:
            split[name] = {metric: [cases[row] for row in rows] for metric, cases in values[method].items()}
    return split


def _keep(pictures: dict[str, list[Tensor]], name: str, more: Tensor) -> None:
    pictures[name].append(more.cpu().float())


def _add(values: dict[str, list[float]], output: Tensor, truth: RenderedPairs) -> None:
    for metric, more in measure(output, truth).items():
        values.setdefault(metric, []).extend(more)


def _write_values(path: Path, pairs: list[Pair], values: Results) -> None:
    columns = ("pair", "structure_seed", "appearance_seed", "structure", "appearance", "same_side")
    names = [(method, metric) for method, metrics in values.items() for metric in metrics]
    with path.open("w", newline="", encoding="ascii") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow((*columns, *(f"{method}: {metric}" for method, metric in names)))
        for row, pair in enumerate(pairs):
            structure, appearance = pair.structure, pair.appearance
            about = (structure.species, appearance.species, int(pair.same_side))
            numbers = (f"{values[method][metric][row]:.4f}" for method, metric in names)
            writer.writerow((row, structure.seed, appearance.seed, *about, *numbers))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench effect", description=__doc__.splitlines()[0])
    parser.add_argument("--pairs", type=int, default=32, metavar="N", help="how many pairs (default: 32)")
    parser.add_argument("--batch", type=int, default=16, metavar="N", help="pairs in the network at a time")
    parser.add_argument("--only", nargs="+", metavar="NAME", help="these methods alone; all if left out")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if options.pairs < 1 or options.batch < 1:
        parser.error("--pairs and --batch must be 1 or more")
    return options
