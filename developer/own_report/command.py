"""The command: the user's images made ready, every pair at every setting, and the page written."""

import argparse
import io
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from PIL import Image, ImageOps

from ...storage.atomic_write import atomic_write
from ..checkpoint_files import check_checkpoint
from ..cli_output import CliError, echo, writing
from ..client import Client, Graph, GraphError, PromptResult
from ..demo import CHECKPOINT_SIZE, OWN_NOUN, POCKET_SIZE, counted_host, versions
from ..grid.pairs import image_files
from ..image_files import read_image
from ..installation import Installation
from ..progress_line import GraphProgress, ProgressLine
from ..server import temporary_home
from ..transfer_graph import GraphImage, Transfer
from .page import Cost, PairReport, Panel, page
from .variants import COUNT, INVERTED, PANELS, ROLES, SAVE, looked_at, variants

PAGE, NUMBERS = "report.html", "report.json"
POCKET = "Made on the pocket checkpoint, a test bench with toy animals: it says nothing about a real checkpoint."
OWN = "Made on {}. Images are cropped to a square of {} pixels."
SMALLEST, GRAIN = 64, 64  # pixels of a side, and what it must be a multiple of
LOOKED_AT = "objects, matches and inversion"


@dataclass(frozen=True)
class OwnImage:
    """A user's image, as the model gets it, under the name of its file."""

    name: str
    pixels: Image.Image


def run(options: argparse.Namespace, installation: Installation) -> int:
    """Write report.html and report.json; 1 where something failed. Raises `CliError` where something is missing."""
    if options.checkpoint:
        check_checkpoint(options.checkpoint)
    size = options.size or (CHECKPOINT_SIZE if options.checkpoint else POCKET_SIZE)
    if size < SMALLEST or size % GRAIN:
        raise CliError(f"--size {size}: give a multiple of {GRAIN} from {SMALLEST} on.")
    sides = [own_images(folder, size) for folder in (options.structures, options.appearances)]
    out = Path(options.out)
    with writing(out):
        out.mkdir(parents=True, exist_ok=True)
    echo(f"{len(sides[0]) * len(sides[1])} pairs, {len(variants()) + 1} runs of each.")
    with temporary_home() as home, counted_host(installation, home, options.checkpoint) as address:
        client = Client(address)
        pairs = [
            reported(client, home, structure, appearance, options, size)
            for structure in sides[0]
            for appearance in sides[1]
        ]
        made_by = machine(client)
    note = OWN.format(Path(options.checkpoint).name, size) if options.checkpoint else POCKET
    keep(out, pairs, made_by, note)
    failures = [panel for pair in pairs for panel in (*pair.found, *pair.transfers) if panel.failure]
    echo(
        f"Wrote {PAGE} and {NUMBERS} to {out}{f'; {len(failures)} images are missing, see there' if failures else ''}."
    )
    return 1 if failures else 0


def own_images(where: str, size: int) -> list[OwnImage]:
    """An image, or those of a folder by name, cropped to a square in their middle."""
    path = Path(where)
    if path.is_dir():
        files = image_files(where)
    elif path.is_file():
        files = [path]
    else:
        raise CliError(f"There is no folder or image {where}.")
    side = (size, size)
    return [OwnImage(file.stem, ImageOps.fit(read_image(file), side, Image.Resampling.LANCZOS)) for file in files]


def reported(
    client: Client, home: Path, structure: OwnImage, appearance: OwnImage, options: argparse.Namespace, size: int
) -> PairReport:
    """Everything about one pair."""
    name = f"{appearance.name} on {structure.name}"
    files = {}
    for role, image in zip(ROLES, (structure, appearance), strict=True):
        files[role] = f"{role}_{image.name}.png"
        image.pixels.save(home / "input" / files[role])
    noun = options.noun or OWN_NOUN
    checkpoint = Path(options.checkpoint).name if options.checkpoint else None
    images = [GraphImage(noun, file=files[role]) for role in ROLES]
    transfer = Transfer(images[0], images[1], size=size, checkpoint=checkpoint)
    inputs = [Panel(role, image.pixels, image.name) for role, image in zip(ROLES, (structure, appearance), strict=True)]
    found, costs = _looked_at(client, transfer, name)
    transfers = []
    for variant in variants():
        outcome = _queued(client, variant.graph(transfer), f"{name}, {variant.name}")
        if isinstance(outcome, str):
            transfers.append(Panel(variant.name, None, failure=outcome))
            continue
        costs[variant.name] = cost(outcome)
        transfers.append(Panel(variant.name, _image(client, outcome, SAVE), costs[variant.name].words()))
    return PairReport(name, inputs, found, transfers, costs)


def _looked_at(client: Client, transfer: Transfer, name: str) -> tuple[list[Panel], dict[str, Cost]]:
    """What is found before a transfer."""
    outcome = _queued(client, looked_at(transfer), f"{name}, {LOOKED_AT}")
    if isinstance(outcome, str):
        return [Panel(LOOKED_AT, None, failure=outcome)], {}
    quality = outcome.outputs[INVERTED]["text"][0].splitlines()[-1].partition(": ")[2]
    abouts = {INVERTED: f"PSNR {quality}; above 30 dB is hard to tell apart"}
    found = [Panel(title, _image(client, outcome, node), abouts.get(node, "")) for node, title in PANELS.items()]
    return found, {LOOKED_AT: cost(outcome)}


def _queued(client: Client, graph: Graph, title: str) -> PromptResult | str:
    """What came of a graph, or why nothing did."""
    with ProgressLine() as line:
        try:
            outcome = client.queue(graph, GraphProgress(graph, line).watch)
        except GraphError as error:
            if error.kind == "lost":
                raise CliError(f"ComfyUI stopped in {title}: {error}") from None
            echo(f"{title} failed: {error}")
            return str(error)
    echo(f"{title}: {sum(outcome.seconds.values()):.1f} s")
    return outcome


def cost(outcome: PromptResult) -> Cost:
    """As benchmarks/evaluation_counter has counted it."""
    by_node, forwards, memory = (json.loads(text) for text in outcome.outputs[COUNT]["text"])
    return Cost(sum(by_node.values()), forwards, round(sum(outcome.seconds.values()), 2), memory)


def machine(client: Client) -> dict[str, str]:
    """Versions, and on which device."""
    devices = client.get("/system_stats")["devices"]
    return versions(client) | {"device": ", ".join(device["name"] for device in devices)}


def keep(out: Path, pairs: Sequence[PairReport], made_by: Mapping[str, str], note: str) -> None:
    """Write page and numbers, each whole or not at all."""
    numbers: dict[str, Any] = {
        "made_by": dict(made_by),
        "note": note,
        "pairs": {
            pair.name: {
                "inversion": next((panel.about for panel in pair.found if panel.title == PANELS[INVERTED]), None),
                "costs": {name: vars(taken) for name, taken in pair.costs.items()},
            }
            for pair in pairs
        },
    }
    texts = {PAGE: page(pairs, made_by, note), NUMBERS: json.dumps(numbers, indent=1) + "\n"}
    for name, text in texts.items():
        with writing(out / name):
            atomic_write(out / name, text.encode("utf-8"))


def _image(client: Client, outcome: PromptResult, node: str) -> Image.Image:
    return Image.open(io.BytesIO(client.image(outcome, node))).convert("RGB")
