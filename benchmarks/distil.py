"""The distilled editor on pairs that it has not learned from: how near it comes to the edits, and how fast.

`python dev.py bench distil --collect N` has pix2pix-zero put stripes on N images that the pocket checkpoint makes,
with the nodes of the workflow collect_pairs, and trains on all but the last pairs, mirrored too; by those it is judged.
`--pairs FOLDER` takes pairs that are there already. Without either it renders animals plain and striped, as a check of
the trainer where the answer is known. What is stopped goes on when the same command is given again. Writes
results/distil.csv and .png.
"""

from __future__ import annotations

import argparse
import time
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..developer.cli_output import CliError, echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.paths import CACHE
from ..developer.server import temporary_home
from ..distillation.architecture import SIZES, EditorConfig
from ..distillation.checkpoint import DistilledEditor
from ..distillation.pairs import Dataset, PairFolder, resized
from ..distillation.rng import seeded_rng
from ..distillation.storage import load, save
from ..distillation.training import EditorTraining, EditorTrainingSettings
from ..evaluation.overlap import intersection_over_union
from ..pocket.render import render
from ..pocket.scene import COLORS, random_scene
from ..pocket.segmenter import segment_parts
from .edits.classifier import load_classifier
from .edits.tasks import PLAIN_TO_STRIPED, SIZE
from .reporting import RESULTS
from .reporting.sheet import write_sheet
from .reporting.table import Values, as_text, write_table

KEPT = CACHE / "distil"
SAVED_EVERY = 100
FIRST_SEED = 940_000
"""Of the rendered scenes; the pocket checkpoint has learned from others."""
DISPLAYED = 6
SECONDS = "training seconds"
EDITOR = "distilled editor"


def main(installation: Installation, arguments: list[str]) -> int:
    """Train up to the steps that are asked for, and write what the editor does to held-out pairs."""
    options = _options(arguments)
    if options.collect:
        options.pairs = collect(installation, options.collect)
    pairs = collected(options.pairs, options.size) if options.pairs else rendered(options.count, options.size)
    pairs = pairs[: options.collect or None]
    if len(pairs) <= options.held_out:
        raise CliError(f"There are {len(pairs)} pairs, of which {options.held_out} are to be held out; collect more.")
    learned, judged = with_mirrored(pairs[: -options.held_out]), pairs[-options.held_out :]
    settings = EditorTrainingSettings(
        EditorConfig(options.size, options.width), batch=options.batch, learning_rate=options.rate
    )
    name = options.pairs.name if options.pairs else "rendered"
    kind = f"{options.size}px_width{options.width:g}_batch{options.batch}_rate{options.rate:g}"
    editor = train(learned, settings, options.steps, KEPT / f"{name}{len(learned)}_{kind}.safetensors", options.device)
    values, outputs = measured(editor, judged, options.device)
    write_table(options.out / "distil.csv", values)
    columns = {"before": _to_unit(judged.before), EDITOR: outputs, "after": _to_unit(judged.after)}
    write_sheet(options.out / "distil.png", {n: p[:DISPLAYED].movedim(1, -1) for n, p in columns.items()}, scale=2)
    echo(f"{editor}\n{as_text(values)}")
    return 0


def collect(installation: Installation, expected: int) -> Path:
    """A folder with `expected` pairs at least, collected by the real nodes."""
    with temporary_home() as home:
        host = Host(installation.host, home)
        from .edits.collecting import collect_pairs_of

        return collect_pairs_of(host, PLAIN_TO_STRIPED, expected, CACHE / "pairs")


def collected(folder: Path, size: int) -> Dataset:
    """The pairs of a collection."""
    collection = PairFolder(folder)
    if not len(collection):
        raise CliError(f"There are no edit pairs in {folder}.")
    before, after = torch.stack([collection.load(pair, size) for pair in tqdm(collection.pairs, desc="pairs")], dim=1)
    return Dataset(before, after)


def with_mirrored(pairs: Dataset) -> Dataset:
    """Twice as many pairs: the edit knows no left and right."""
    return Dataset(*(torch.cat([images, images.flip(-1)]) for images in (pairs.before, pairs.after)))


def rendered(count: int, size: int) -> Dataset:
    """Animals in plain coats, and the same ones with black stripes at the same positions: what the image can tell."""
    sides = []
    for coat in ("plain", "striped"):
        scenes = [random_scene(FIRST_SEED + number, coat=coat) for number in range(count)]
        scenes = [replace(scene, coat_color=COLORS["black"], coat_phase=(0.0, 0.0)) for scene in scenes]
        sides.append((render(scenes, size).image.movedim(-1, 1) * 255).round().to(torch.uint8))
    return Dataset(*sides)


def train(pairs: Dataset, settings: EditorTrainingSettings, steps: int, path: Path, device: str) -> DistilledEditor:
    """Train up to `steps` steps, from where an earlier call stopped."""
    start = load(path) if path.is_file() else None
    training = EditorTraining(pairs, settings, start, device=device)
    path.parent.mkdir(parents=True, exist_ok=True)
    begun = time.perf_counter() - float(start.metadata[SECONDS] if start else 0)
    for _ in tqdm(range(training.steps, steps), desc="steps", mininterval=10):
        training.advance()
        if training.steps % SAVED_EVERY == 0 or training.steps == steps:
            metadata = {SECONDS: f"{time.perf_counter() - begun:.0f}", "pairs": str(len(pairs))}
            save(replace(training.snapshot(), metadata=metadata), path)
    return load(path)


@torch.no_grad()
def measured(editor: DistilledEditor, pairs: Dataset, device: str) -> tuple[Values, Tensor]:
    """What is in the images of held-out pairs before the edit, from the editor, and after; and the editor's.

    l1_to_edit: mean absolute difference to the edit, of images in 0..1. striped: 1 where the judge of edits sees
    stripes. silhouette_iou: with the image before, both as pocket/segmenter.py sees them. seconds: per image.
    """
    network, style = editor.network().to(device), editor.architecture.style
    before, after = _to_unit(pairs.before), _to_unit(pairs.after)
    outputs, seconds = [], []
    for image in before.split(1):
        begun = time.perf_counter()
        with seeded_rng(0, device=torch.device(device)):
            edited = network(image.to(device) * 2 - 1, torch.randn(1, style, device=device))
        edited = edited.cpu()  # before the clock is read, so that the time is the whole time
        seconds.append(time.perf_counter() - begun)
        outputs.append(((edited + 1) / 2).clamp(0, 1))
    output = torch.cat(outputs)
    classifier, shape = load_classifier(), _silhouettes(before)
    values = {
        name: {
            "l1_to_edit": (images - after).abs().mean((1, 2, 3)).tolist(),
            "striped": [float(coat == "striped") for coat in classifier.predictions(_resized(images))["coat"]],
            "silhouette_iou": intersection_over_union(_silhouettes(images), shape).tolist(),
        }
        for name, images in (("identity", before), (EDITOR, output), ("the edits to learn", after))
    }
    values[EDITOR]["seconds"] = seconds[1:]  # the first warms up
    return values, output


def _silhouettes(images: Tensor) -> Tensor:
    return segment_parts(_resized(images)) > 0


def _resized(images: Tensor) -> Tensor:
    """[B, 3, S, S] -> [B, H, W, 3] of the size that the judges know."""
    return resized(images, (SIZE, SIZE)).movedim(1, -1)


def _to_unit(images: Tensor) -> Tensor:
    return images.float() / 255


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench distil", description=__doc__)
    parser.add_argument("--collect", type=int, default=0, metavar="N", help="collect pairs until there are N of them")
    parser.add_argument("--pairs", type=Path, metavar="FOLDER", help="a folder of Edit-Pair Collector")
    parser.add_argument("--count", type=int, default=600, help="pairs to render where there is no folder")
    parser.add_argument("--held-out", type=int, default=64, help="pairs that are not learned from (default: 64)")
    parser.add_argument("--size", type=int, default=64, choices=SIZES, help="pixels (default: 64)")
    parser.add_argument("--width", type=float, default=0.125, help="share of the channels (default: 0.125)")
    parser.add_argument("--steps", type=int, default=1000, help="steps in all (default: 1000)")
    parser.add_argument("--batch", type=int, default=16, help="pairs per step (default: 16)")
    parser.add_argument("--rate", type=float, default=0.001, help="learning rate (default: 0.001)")
    parser.add_argument("--device", default="cuda" if torch.cuda.is_available() else "cpu", help="where to compute")
    parser.add_argument("--out", type=Path, default=RESULTS, help="folder of the results")
    return parser.parse_args(arguments)
