"""What a grid of N structures and N appearances costs, against its pairs one by one.

`python dev.py bench grid [--largest N] [--steps K]` writes results/grid.csv and grid.png: for 1x1, 2x2, ... pocket
images the U-Net evaluations that were counted at the network, those that are promised (costs.py), the seconds, and
how far the images of the grid lie from those of the pairs. Both ways start from images, so inversions are counted,
too.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor
from tqdm import tqdm

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from ..inversion.defaults import STEPS
from ..pocket.scene import Scene
from . import costs
from .reporting import RESULTS
from .reporting.curves import Panel, write_curves
from .reporting.table import write_rows
from .transfers.pairs import SIZE, ScenePair, held_out_pairs, rendered

if TYPE_CHECKING:
    from .transfers.inverted import Models

SKIPPED = 0.32  # of the steps, as in the paper
ONE_BY_ONE, GRID = "one by one", "grid"
COLUMNS = ("size", "way", "pairs", "evaluations", "promised", "seconds", "cpu_seconds", "largest_difference")


@dataclass(frozen=True)
class GridMeasurement:
    """Images [pairs, H, W, 3], and what they took: U-Net evaluations, seconds, seconds of all processor cores."""

    images: Tensor
    evaluations: int
    seconds: float
    cpu_seconds: float


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every size both ways, write the table, say it."""
    options = _options(arguments)
    with temporary_home() as home:
        Host(installation.host, home)
        with torch.inference_mode():
            lines = measured_sizes(options.largest, options.steps)
    write_rows(options.out / "grid.csv", COLUMNS, lines)
    write_curves(
        options.out / "grid.png", f"Every structure in every appearance, {options.steps} steps", [panels(lines)]
    )
    for line in lines:
        echo("  ".join(f"{value:>12}" for value in line))
    return 0


def measured_sizes(largest: int, steps: int) -> list[tuple[object, ...]]:
    """Two lines per size. The pairs of a smaller grid are among those of the largest, and run once."""
    from .transfers.inverted import pocket_models

    models = pocket_models()
    scenes = held_out_pairs(largest)
    shapes, appearance_scenes = [pair.structure for pair in scenes], [pair.appearance for pair in scenes]

    def run(some_shapes: list[Scene], some_appearances: list[Scene]) -> GridMeasurement:
        return counted(models, lambda: transferred(models, some_shapes, some_appearances, steps))

    pairs = [(s, a) for s in range(largest) for a in range(largest)]
    alone = {(s, a): run([shapes[s]], [appearance_scenes[a]]) for s, a in tqdm(pairs, desc="pairs", leave=False)}
    lines: list[tuple[object, ...]] = []
    for n in tqdm(range(1, largest + 1), desc="grids", leave=False):
        grid = run(shapes[:n], appearance_scenes[:n])
        singles = [alone[s, a] for s, a in pairs if max(s, a) < n]
        in_turn = GridMeasurement(
            torch.cat([single.images for single in singles]),
            sum(single.evaluations for single in singles),
            sum(single.seconds for single in singles),
            sum(single.cpu_seconds for single in singles),
        )
        plan = costs.CostPlan(steps, _skipped(steps))
        promised = {ONE_BY_ONE: n * n * plan.total, GRID: costs.grid(n, n, plan)}
        for way, found in ((ONE_BY_ONE, in_turn), (GRID, grid)):
            far = float((found.images - in_turn.images).abs().max())
            counts = n * n, found.evaluations, promised[way]
            lines.append((f"{n}x{n}", way, *counts, f"{found.seconds:.1f}", f"{found.cpu_seconds:.1f}", f"{far:.5f}"))
    return lines


def panels(lines: list[tuple[object, ...]]) -> list[Panel]:
    """What it costs over the number of pairs, a curve per way."""
    named = [dict(zip(COLUMNS, line, strict=True)) for line in lines]

    def curve(way: str, measure: str) -> list[tuple[float, float]]:
        return [(float(str(one["pairs"])), float(str(one[measure]))) for one in named if one["way"] == way]

    return [
        Panel("pairs", measure, {way: curve(way, measure) for way in (ONE_BY_ONE, GRID)})
        for measure in ("evaluations", "seconds", "cpu_seconds")
    ]


def transferred(models: Models, shapes: list[Scene], appearance_scenes: list[Scene], steps: int) -> Tensor:
    """Every look on every shape by cross-image attention with the nodes' defaults and the true masks, in one batch.

    Each image is inverted or noised by itself, so that its noise does not depend on the others.
    """
    from ..host.models.schedules import schedule_of
    from ..inversion.pairing import every_pair
    from .transfers.inverted import TRUE, InvertedPairs, Masks, invert, noised
    from .transfers.variants import VARIANTS, transfer

    truth = rendered([ScenePair(shape, appearance) for shape in shapes for appearance in appearance_scenes], SIZE)
    schedule = schedule_of(models.model, steps=steps, start_at=_skipped(steps))
    down, across = slice(None, None, len(appearance_scenes)), slice(len(appearance_scenes))
    structures, appearances = (
        [make(models, image[None], [scene.species], schedule) for image, scene in zip(images, scenes, strict=True)]
        for make, images, scenes in (
            (invert, truth.structure.image[down], shapes),
            (noised, truth.appearance.image[across], appearance_scenes),
        )
    )
    pairs = every_pair(structures, appearances, truth.structure.mask[down], truth.appearance.mask[across])
    masks = {TRUE: Masks(pairs.structure_mask, pairs.appearance_mask)}
    ours = next(variant for variant in VARIANTS if variant.name == "ours, true masks")
    return transfer(models, InvertedPairs(truth, pairs.structures, pairs.appearances, masks), ours)


def counted(models: Models, work: Callable[[], Tensor]) -> GridMeasurement:
    """What the network of these models did during `work`."""
    from .evaluation_counter import EvaluationCount

    count = EvaluationCount(models.model.model.diffusion_model)
    begun, begun_working = time.perf_counter(), time.process_time()
    images = work()
    count.close()
    seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - begun_working
    return GridMeasurement(images, sum(count.by_node.values()), seconds, cpu_seconds)


def _skipped(steps: int) -> int:
    return round(steps * SKIPPED)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench grid", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--largest", type=int, default=4, metavar="N", help="up to N x N pairs (default: 4)")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="K", help=f"of the schedule (default: {STEPS})")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    options = parser.parse_args(arguments)
    if min(options.largest, options.steps) < 1:
        parser.error("--largest and --steps must be 1 or more")
    return options
