"""`dev.py demo`: transfer an appearance in the real ComfyUI, show the steps, leave images and measures."""

import argparse
import io
import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from PIL import Image

from ..pocket.scene import random_scene
from ..storage.atomic_write import atomic_write
from . import comfyui
from .checkpoint_files import check_checkpoint
from .cli_output import CliError, echo, step, writing
from .client import Client, Graph, GraphError, PromptResult
from .demo_grid import grid_graph, grid_measures
from .demo_results import PANELS, effect, evaluations, panels, seconds
from .image_files import read_image
from .installation import Installation
from .part_by_part import demo_graph
from .paths import ROOT
from .pocket_advice import advise
from .progress_line import GraphProgress, ProgressLine
from .server import PACK, lend_checkpoint, running, temporary_home
from .transfer_graph import GraphImage, Transfer

COUNTER = {"evaluation_counter": ROOT / "benchmarks" / "evaluation_counter"}
STRUCTURE_SEED, APPEARANCE_SEED = 27, 38  # a horse and a spotted cow
DEMO_PAIR = (900_027, 900_030)  # a horse and a saddled cow: scenes that no training has seen
MORE_STRUCTURE_SEEDS, MORE_APPEARANCE_SEEDS = (900_048, 900_068), (900_049, 900_070)  # of the grid
OWN_NOUN = "horse"  # where a user does not say what the images show; the pocket checkpoint knows it, too
POCKET_SIZE, CHECKPOINT_SIZE = 256, 512  # pixels; what each kind of checkpoint was trained on
TRANSFER, MATCHES, GRID, MEASURES = "transfer.png", "matches.png", "grid.png", "demo.json"


def run(options: argparse.Namespace, installation: Installation) -> int:
    """Queue the transfer and write transfer.png, matches.png (what paints what) and demo.json, and of pocket scenes
    grid.png (three structures with three appearances). Raises `CliError` when something is missing.
    """
    out = Path(options.out)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with temporary_home() as home:
        transfer = plan(options, home)
        if options.structure and not options.checkpoint:
            advise([Path(options.structure), Path(options.appearance)])
        with counted_host(installation, home, options.checkpoint) as address:
            client, graph = Client(address), demo_graph(transfer)
            outcome = follow(client, graph)
            images = collect(client, outcome)
            measures = {
                "versions": versions(client),
                "seconds": seconds(outcome),
                **evaluations(outcome),
                **effect(transfer, images["output"]),
            }
            if not options.structure and not options.checkpoint:
                images["grid"], measures["grid"] = grid(client, transfer)
    keep(out, images, measures)
    report(measures, out)
    return 0


def plan(options: argparse.Namespace, home: Path) -> Transfer:
    """What the command line asks for, with the user's own images put where ComfyUI loads images from."""
    if bool(options.structure) != bool(options.appearance):
        raise CliError("Give both --structure and --appearance, or neither for two pocket scenes.")
    if options.checkpoint:
        check_checkpoint(options.checkpoint)
    return Transfer(
        structure=_image(options, "structure", DEMO_PAIR[0], home),
        appearance=_image(options, "appearance", DEMO_PAIR[1], home),
        size=CHECKPOINT_SIZE if options.checkpoint else POCKET_SIZE,
        checkpoint=Path(options.checkpoint).name if options.checkpoint else None,
        counted=True,
    )


def follow(client: Client, graph: Graph) -> PromptResult:
    """Run the graph, and say how far it is."""
    with ProgressLine() as line:
        progress = GraphProgress(graph, line)
        try:
            return client.queue(graph, progress.watch)
        except GraphError as error:
            where = f" in {progress.title(error.node)}" if error.node else ""
            raise CliError(f"ComfyUI did not finish the transfer{where}: {error}") from None


def collect(client: Client, outcome: PromptResult) -> dict[str, Image.Image]:
    """The panels of the grid, by name."""
    nodes = {panel: f"show_{panel}" for panel in PANELS} | {"output": "save", "matches": "matches"}
    return {panel: Image.open(io.BytesIO(client.image(outcome, node))).convert("RGB") for panel, node in nodes.items()}


def grid(client: Client, transfer: Transfer) -> tuple[Image.Image, dict[str, Any]]:
    """Three structures with three appearances, the demo's own pair the first of them, and their measures."""
    structures = [transfer.structure, *map(_scene, MORE_STRUCTURE_SEEDS)]
    appearances = [transfer.appearance, *map(_scene, MORE_APPEARANCE_SEEDS)]
    graph = grid_graph(structures, appearances, transfer.size)
    outcome = follow(client, graph)
    drawn = Image.open(io.BytesIO(client.image(outcome, "draw"))).convert("RGB")
    return drawn, grid_measures(client, outcome, structures, appearances)


def keep(out: Path, images: Mapping[str, Image.Image], measures: Mapping[str, Any]) -> None:
    """Write the files, each whole or not at all; a grid of an earlier run goes where there is none now."""
    files = {TRANSFER: _png(images["output"]), MATCHES: _png(panels(images))}
    if "grid" in images:
        files[GRID] = _png(images["grid"])
    else:
        (out / GRID).unlink(missing_ok=True)
    files[MEASURES] = (json.dumps(measures, indent=2) + "\n").encode()
    for name, data in files.items():
        with writing(out / name):
            atomic_write(out / name, data)


def report(measures: Mapping[str, Any], out: Path) -> None:
    """The measures in words, and where everything lies."""
    echo(f"U-Net evaluations: {measures['unet_evaluations']} samples; {measures['seconds']['all']:.0f} s in ComfyUI.")
    if measures["part_color_error"] is not None:
        echo(f"Part-color error: {measures['part_color_error']:.2f} of doing nothing (0 is perfect).")
        echo(f"Silhouette kept: IoU {measures['silhouette_iou']:.2f}.")
        echo(f"Background changed by {measures['background_change']:.3f} of full scale.")
    if "grid" in measures:
        errors = measures["grid"]["part_color_errors"]
        mean, took = sum(errors) / len(errors), measures["grid"]["seconds"]
        echo(f"Grid of {len(errors)} transfers: part-color error {mean:.2f} on the mean; {took:.0f} s.")
    names = [TRANSFER, MATCHES, *([GRID] if "grid" in measures else []), MEASURES]
    echo(f"Wrote {', '.join(names[:-1])} and {names[-1]} to {out}.")


def _image(options: argparse.Namespace, role: str, seed: int, home: Path) -> GraphImage:
    """The user's own image for this role, or else the pocket scene, which knows itself what it shows."""
    file = getattr(options, role)
    if file is None:
        scene = _scene(seed)
        return replace(scene, noun=options.noun or scene.noun)
    path = Path(file)
    read_image(path)
    name = f"{role}{path.suffix.lower()}"
    with writing(home / "input" / name):
        (home / "input").mkdir(exist_ok=True)
        shutil.copyfile(path, home / "input" / name)
    return GraphImage(options.noun or OWN_NOUN, file=name)


def _scene(seed: int) -> GraphImage:
    """The pocket scene of this seed, under the word for what it shows."""
    return GraphImage(random_scene(seed).species, seed=seed)


def _png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


@contextmanager
def counted_host(installation: Installation, home: Path, checkpoint: str | None) -> Iterator[str]:
    """ComfyUI with the pack and the counter."""
    lend_checkpoint(home, checkpoint)
    with ExitStack() as stack:
        with step(f"Starting ComfyUI {comfyui.version(installation.host)}"):
            address = stack.enter_context(running(installation.host, home, PACK | COUNTER))
        yield address


def versions(client: Client) -> dict[str, str]:
    """What made this image."""
    system = client.get("/system_stats")["system"]
    return {
        "appearance-transfer": _pack_version(),
        "comfyui": system["comfyui_version"],
        "torch": system["pytorch_version"],
        "python": system["python_version"].split()[0],
    }


def _pack_version() -> str:
    return tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]["version"]
