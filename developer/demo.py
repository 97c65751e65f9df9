"""`dev.py demo`: transfer an appearance in the real ComfyUI, show the steps, and leave the image and its measures."""

import argparse
import io
import json
import shutil
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from PIL import Image

from ..pocket.scene import random_scene
from ..storage.atomic_write import atomic_write
from . import comfyui
from .cli_output import CliError, echo, step, writing
from .client import Client, Graph, GraphError, PromptResult
from .demo_results import PANELS, effect, evaluations, grid, seconds
from .image_files import read_image
from .installation import Installation
from .paths import ROOT
from .pocket_advice import advise
from .server import PACK, lend_checkpoint, running, temporary_home
from .step_bars import StepBars
from .transfer_graph import GraphImage, Transfer, transfer_graph

COUNTER = {"evaluation_counter": ROOT / "benchmarks" / "evaluation_counter"}
STRUCTURE_SEED, APPEARANCE_SEED = 27, 38  # a horse and a spotted cow
OWN_NOUN = "horse"  # where a user does not say what the images show; the pocket checkpoint knows it, too
POCKET_SIZE, CHECKPOINT_SIZE = 128, 512  # pixels; what each kind of checkpoint was trained on


def run(options: argparse.Namespace, installation: Installation) -> int:
    """Queue the transfer and write transfer.png, grid.png and demo.json. Raises `CliError` when something is
    missing.
    """
    out = Path(options.out)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    with temporary_home() as home:
        transfer = plan(options, home)
        if options.structure and not options.checkpoint:
            advise([Path(options.structure), Path(options.appearance)])
        with _host(installation, home, options.checkpoint) as address:
            client, graph = Client(address), transfer_graph(transfer)
            outcome = follow(client, graph)
            images = collect(client, outcome)
            versions = _versions(client)
    measures = {
        "versions": versions,
        "seconds": seconds(outcome),
        **evaluations(outcome),
        **effect(transfer, images["output"]),
    }
    keep(out, images, measures)
    report(measures, out)
    return 0


def plan(options: argparse.Namespace, home: Path) -> Transfer:
    """What the command line asks for, with the user's own images put where ComfyUI loads images from."""
    if bool(options.structure) != bool(options.appearance):
        raise CliError("Give both --structure and --appearance, or neither for two pocket scenes.")
    if options.checkpoint and not Path(options.checkpoint).is_file():
        raise CliError(f"There is no checkpoint {options.checkpoint}.")
    return Transfer(
        structure=_image(options, "structure", STRUCTURE_SEED, home),
        appearance=_image(options, "appearance", APPEARANCE_SEED, home),
        size=CHECKPOINT_SIZE if options.checkpoint else POCKET_SIZE,
        checkpoint=Path(options.checkpoint).name if options.checkpoint else None,
        counted=True,
    )


def follow(client: Client, graph: Graph) -> PromptResult:
    """Run the graph with a progress bar for every node that reports steps."""
    bars = StepBars(graph)
    try:
        return client.queue(graph, bars.watch)
    except GraphError as error:
        where = f" in {bars.title(error.node)}" if error.node else ""
        raise CliError(f"ComfyUI did not finish the transfer{where}: {error}") from None
    finally:
        bars.close()


def collect(client: Client, outcome: PromptResult) -> dict[str, Image.Image]:
    """The panels of the grid, by name."""
    nodes = {panel: f"show_{panel}" for panel in PANELS} | {"output": "save", "matches": "matches"}
    return {panel: Image.open(io.BytesIO(client.image(outcome, node))).convert("RGB") for panel, node in nodes.items()}


def keep(out: Path, images: Mapping[str, Image.Image], measures: Mapping[str, Any]) -> None:
    """Write transfer.png, grid.png and demo.json, each whole or not at all."""
    files = {
        "transfer.png": _png(images["output"]),
        "grid.png": _png(grid(images)),
        "demo.json": (json.dumps(measures, indent=2) + "\n").encode(),
    }
    for name, data in files.items():
        with writing(out / name):
            atomic_write(out / name, data)


def report(measures: Mapping[str, Any], out: Path) -> None:
    """The measures in words, and where everything lies."""
    echo(f"U-Net evaluations: {measures['unet_evaluations']} samples; {measures['seconds']['all']:.0f} s in ComfyUI.")
    if measures["part_color_error"] is not None:
        echo(f"Part-color error: {measures['part_color_error']:.2f} of doing nothing (0 is perfect).")
        echo(f"Silhouette kept: IoU {measures['silhouette_iou']:.2f}.")
    echo(f"Wrote transfer.png, grid.png and demo.json to {out}.")


def _image(options: argparse.Namespace, role: str, seed: int, home: Path) -> GraphImage:
    """The user's own image for this role, or else the pocket scene, which knows itself what it shows."""
    file = getattr(options, role)
    if file is None:
        return GraphImage(options.noun or random_scene(seed).species, seed=seed)
    path = Path(file)
    read_image(path)
    name = f"{role}{path.suffix.lower()}"
    with writing(home / "input" / name):
        (home / "input").mkdir(exist_ok=True)
        shutil.copyfile(path, home / "input" / name)
    return GraphImage(options.noun or OWN_NOUN, file=name)


def _png(image: Image.Image) -> bytes:
    encoded = io.BytesIO()
    image.save(encoded, "PNG")
    return encoded.getvalue()


@contextmanager
def _host(installation: Installation, home: Path, checkpoint: str | None) -> Iterator[str]:
    """ComfyUI with the pack and the counter."""
    lend_checkpoint(home, checkpoint)
    with ExitStack() as stack:
        with step(f"Starting ComfyUI {comfyui.version(installation.host)}"):
            address = stack.enter_context(running(installation.host, home, PACK | COUNTER))
        yield address


def _versions(client: Client) -> dict[str, str]:
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
