"""The real server with the pack under test and the one that tries it; a graph that must always work; a census."""

from __future__ import annotations

import copy
import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ...developer.client import Client, Graph
from ...developer.server import PACK, running
from ...developer.transfer_graph import GraphImage, Transfer, transfer_graph

TRYING = {"reliability": Path(__file__).parent / "wrong_values"}
"""The pack of wrong values, as `running` takes packs."""

KEEPS_RESULTS = ("--cache-lru", "200")
"""So that what many cases need is made once."""

FRESH, CENSUS = "Reliability_Fresh", "Reliability_Census"


@contextmanager
def served(comfyui: Path, home: Path, *options: str) -> Iterator[Client]:
    """A server with both packs, in a folder of its own in `home`. options: of ComfyUI, such as KEEPS_RESULTS."""
    folder = home / "served"
    folder.mkdir(exist_ok=True)
    with running(comfyui, folder, packs=PACK | TRYING, options=options) as address:
        yield Client(address)


def transfer(strength: float = 1.0, seed: int = 42) -> Graph:
    """The main job in three steps, of which nothing is cached."""
    scenes = GraphImage("horse", seed=2), GraphImage("cow", seed=7)
    graph = copy.deepcopy(transfer_graph(Transfer(*scenes, steps=4, start_at_step=1)))
    for name in [name for name in graph if name == "matches" or name.startswith("show_")]:
        del graph[name]
    graph["fresh"] = {"class_type": FRESH, "inputs": {"value": ["checkpoint", 0]}}
    for name, node in graph.items():
        if name != "fresh":
            node["inputs"] |= {key: ["fresh", 0] for key, link in node["inputs"].items() if link == ["checkpoint", 0]}
    graph["attention"]["inputs"] |= {"strength": strength}
    graph["invert_appearance"]["inputs"]["seed"] = seed
    graph["save"]["class_type"] = "PreviewImage"
    del graph["save"]["inputs"]["filename_prefix"]
    return graph


def digest(client: Client, graph: Graph) -> str:
    """Queue a transfer; a hash of the pixels that it shows."""
    outcome = client.queue(graph)
    return hashlib.sha256(client.image(outcome, "save")).hexdigest()


def census(client: Client) -> dict[str, int]:
    """What the server has now that a run may leave behind: by name, how many; memory in bytes."""
    checkpoint = {
        "class_type": "AppearanceTransfer_LoadPocketCheckpoint",
        "inputs": {"network": "U-Net 128 px", "precision": "fp32"},
    }
    graph = {"checkpoint": checkpoint, "census": {"class_type": CENSUS, "inputs": {"model": ["checkpoint", 0]}}}
    return json.loads(client.queue(graph).outputs["census"]["text"][0])
