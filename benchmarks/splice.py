"""Splice on real pairs of photographs, judged by a real ViT (see real_weights/dino.py): what training takes and gives.

`python dev.py bench splice [PAIR ...]` trains a generator per pair and writes results/splice.csv, and
results/splice.png of the pair that may be shown; those of the shared data are drawn in out/splice_pairs.png. A training
that is stopped goes on when the same command is given again, and pairs may be trained one at a time: the results are
always those of every pair that has been trained so far. `--speed STEPS` instead measures the time of a step against the
released scheme, which sends six images through the ViT where we send four (results/splice_speed.csv).
"""

from __future__ import annotations

import argparse
import csv
import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import mean

import torch
import torch.nn.functional as F
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..developer.paths import CACHE, OUT
from ..evaluation.structure_distance import structure_distance
from ..splice.checkpoint import TrainedGenerator
from ..splice.generator import SkipGenerator, initialize
from ..splice.losses import WHOLE_EVERY, appearance_loss
from ..splice.storage import load, save
from ..splice.training import SpliceSettings, SpliceTraining
from ..training.report import Report
from ..vit.features import ViTExtractor
from ..vit.preprocess import vit_input
from ..vit.self_similarity import self_similarity
from ..vit.vit import VisionTransformer, ViTOutput, load_vit
from .photographs import FREE, IMAGES, photograph
from .real_weights.dino import SOUND_LAYER, weights
from .reporting import RESULTS
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table

PAIRS = {  # name -> structure, appearance
    "faces": (FREE / "raccoon.jpg", FREE / "cat.jpg"),
    "cows": (IMAGES / "red_cow.jpg", IMAGES / "spotted_cow.jpg"),
    "fruit": (IMAGES / "apples.jpg", IMAGES / "oranges.jpg"),
    "savanna": (IMAGES / "giraffe.png", IMAGES / "zebra.png"),
}
FACES = "faces"
KEPT = CACHE / "splice"
SIDE, STEPS = 256, 900
SAVED_EVERY = 100
WINDOW = 50
"""Steps over which a loss is averaged: one step sees one crop."""
CLOCK, FIRST, LAST = "cpu seconds", "loss at first", "loss at last"


@dataclass(frozen=True)
class Case:
    """A pair of photographs [1, 3, H, W] in 0..1."""

    name: str
    structure: Tensor
    appearance: Tensor


def main(installation: Installation, arguments: list[str]) -> int:
    """Train what is asked for and write what there is by now, or measure the speed."""
    options = _options(arguments)
    vit = load_vit(load_file(weights()))
    if options.speed:
        compare_speed(ViTExtractor(vit, options.layer), options.side, options.speed, options.out)
        return 0
    for name in options.pairs or PAIRS:
        if all(file.is_file() for file in PAIRS[name]):
            train(photographs(name, options.side), ViTExtractor(vit, options.layer), options.steps)
        else:
            echo(f"The photographs of {name} are not at {IMAGES}, so it was left out.")
    write_results(options.out, ViTExtractor(vit, options.layer), options.side)
    return 0


def photographs(name: str, side: int) -> Case:
    """A pair with the shorter sides at `side` pixels."""
    return Case(name, *(photograph(file, side) for file in PAIRS[name]))


def train(case: Case, extractor: ViTExtractor, steps: int) -> None:
    """Train up to `steps` steps, from where an earlier call stopped."""
    path = trained(case.name, extractor.layer, min(case.structure.shape[-2:]))
    start = load(path) if path.is_file() else None
    training = SpliceTraining(extractor, case.structure, case.appearance, SpliceSettings(), start)
    metadata = dict(start.metadata) if start else {CLOCK: "0"}
    reports: list[Report] = []
    path.parent.mkdir(parents=True, exist_ok=True)
    clock = time.process_time() - float(metadata[CLOCK])
    for step in tqdm(range(training.steps, steps), desc=case.name, mininterval=10):
        reports.append(training.advance())
        if step == WINDOW:
            metadata[FIRST] = f"{_loss(reports):.4f}"
        if training.steps % SAVED_EVERY == 0 or training.steps == steps:
            metadata |= {LAST: f"{_loss(reports[-WINDOW:]):.4f}", CLOCK: f"{time.process_time() - clock:.0f}"}
            save(replace(training.snapshot(), metadata=metadata), path)


def write_results(folder: Path, extractor: ViTExtractor, side: int) -> None:
    """Table and sheets of every pair that has been trained so far."""
    rows: list[tuple[str, str, str, str]] = []
    images: dict[str, Sequence[Tensor]] = {}
    for name, files in PAIRS.items():
        path = trained(name, extractor.layer, side)
        if not (path.is_file() and all(file.is_file() for file in files)):
            continue
        case, generator = photographs(name, side), load(path)
        output = _output(generator, case)
        rows += [(name, *row) for row in measured(extractor, case, generator, output)]
        images[name] = (case.structure, case.appearance, output)
    with (folder / "splice.csv").open("w", newline="", encoding="ascii") as file:
        csv.writer(file, lineterminator="\n").writerows([("pair", "image", "measure", "value"), *rows])
    if FACES in images:
        _draw(folder / "splice.png", [images.pop(FACES)])
    if images:
        _draw(OUT / "splice_pairs.png", list(images.values()))
    for row in rows:
        echo("  ".join(row))


def _draw(path: Path, rows: Sequence[Sequence[Tensor]]) -> None:
    columns = zip(("structure", "appearance", "output"), zip(*rows, strict=True), strict=True)
    path.parent.mkdir(parents=True, exist_ok=True)
    write_sheet(path, {name: _framed(images) for name, images in columns})


@torch.no_grad()
def measured(
    extractor: ViTExtractor, case: Case, generator: TrainedGenerator, output: Tensor
) -> list[tuple[str, str, str]]:
    """Image, measure, value: both distances of both inputs, of the output before training, and after."""
    first = SkipGenerator()
    initialize(first, SpliceSettings().seed)
    images = {
        "structure itself": case.structure,
        "appearance itself": case.appearance,
        "before training": first(case.structure),
        "after training": output,
    }
    rows = []
    for name, image in images.items():
        if image.shape == case.structure.shape:
            distance = structure_distance(extractor.vit, image, case.structure, layer=extractor.layer).item()
            rows.append((name, "structure distance", f"{distance:.4f}"))
        (seen,), (expected,) = extractor.extract(image), extractor.extract(case.appearance)
        rows.append((name, "appearance distance", f"{appearance_loss(seen, expected).item():.4f}"))
    metadata = generator.metadata
    rows += [("before training", "loss", metadata[FIRST]), ("after training", "loss", metadata[LAST])]
    return [*rows, ("training", "steps", str(generator.steps)), ("training", CLOCK, metadata[CLOCK])]


class Released(SpliceTraining):
    """A step as the reference code takes it: a pass for the [CLS] and one for the keys of every image.

    Its extractor reads by hooks, so that every pass goes through the whole network, whatever block is read.
    """

    def terms(self) -> dict[str, Tensor]:
        structure, appearance = self.crops(self.steps)
        output, identity = self.generator(structure), self.generator(appearance)
        with torch.no_grad():
            expected = self._pass(appearance).cls, self._pass(structure).keys, self._pass(appearance).keys
        return {
            "appearance": F.mse_loss(self._pass(output).cls, expected[0]),
            "structure": F.mse_loss(self_similarity(self._pass(output).keys), self_similarity(expected[1])),
            "identity": F.mse_loss(self._pass(identity).keys, expected[2]),
        }

    def _pass(self, image: Tensor) -> ViTOutput:
        vit: VisionTransformer = self.extractor.vit
        vit_output = vit.forward_features(vit_input(image), self.extractor.layer)
        tokens = vit_output.tokens
        for block in vit.blocks[self.extractor.layer % len(vit.blocks) + 1 :]:
            tokens, _ = block(tokens)
        return vit_output


def compare_speed(extractor: ViTExtractor, side: int, steps: int, folder: Path) -> None:
    """Seconds per step of both schemes, taken in turns, on ordinary steps (no whole image)."""
    random = torch.Generator().manual_seed(0)
    images = [torch.rand(1, 3, side, side, generator=random) for _ in range(2)]
    schemes = {
        "four passes (ours)": SpliceTraining(extractor, *images),
        "six passes (released)": Released(extractor, *images),
    }
    seconds: dict[str, list[float]] = {name: [] for name in schemes}
    for turn in range(steps + 1):
        for name, training in schemes.items():
            training.steps = 1 + turn % (WHOLE_EVERY - 1)
            begun = time.process_time()
            training.advance()
            if turn:  # the first warms up
                seconds[name].append(time.process_time() - begun)
    ratios = [ours / released for ours, released in zip(*seconds.values(), strict=True)]
    values = {name: {"cpu seconds per step": taken} for name, taken in seconds.items()}
    values["ours / released"] = {"ratio": ratios}
    write_table(folder / "splice_speed.csv", values)
    echo(as_text(values))


@torch.no_grad()
def _output(generator: TrainedGenerator, case: Case) -> Tensor:
    return generator.network()(case.structure)


def _loss(reports: list[Report]) -> float:
    """Mean over steps that see crops only."""
    return mean(report.loss for report in reports if report.step % WHOLE_EVERY)


def _framed(images: Sequence[Tensor]) -> Tensor:
    """[B, H, W, 3], every image on white of the size of the largest."""
    height, width = (max(image.shape[axis] for image in images) for axis in (-2, -1))
    framed = [F.pad(p, (0, width - p.shape[-1], 0, height - p.shape[-2]), value=1.0) for p in images]
    return torch.cat(framed).movedim(1, -1)


def trained(name: str, layer: int = SOUND_LAYER, side: int = SIDE) -> Path:
    """Where the generator of a pair is kept between runs."""
    return KEPT / f"{name}_layer{layer}_{side}px.safetensors"


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench splice", description=__doc__)
    parser.add_argument("pairs", nargs="*", metavar="PAIR", help=f"which to train: {', '.join(PAIRS)} (default: all)")
    parser.add_argument("--steps", type=int, default=STEPS, help=f"steps per pair (default: {STEPS})")
    parser.add_argument("--side", type=int, default=SIDE, help=f"shorter side in pixels (default: {SIDE})")
    parser.add_argument("--layer", type=int, default=SOUND_LAYER, help=f"block of the ViT (default: {SOUND_LAYER})")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    parser.add_argument(
        "--speed", type=int, default=0, metavar="STEPS", help="measure the speed on so many steps instead"
    )
    options = parser.parse_args(arguments)
    if unknown := set(options.pairs) - PAIRS.keys():
        parser.error(f"there is no pair {', '.join(unknown)}; there are: {', '.join(PAIRS)}")
    return options
