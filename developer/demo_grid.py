"""Three structures under three appearances, as the demo shows them beside its one transfer."""

import io
from collections.abc import Sequence
from typing import Any

from PIL import Image

from .client import Client, Graph, PromptResult
from .demo_results import measured
from .object_info import OURS
from .part_by_part import demo_graph
from .transfer_graph import GraphImage, Transfer

ROLES = ("structure", "appearance")
TILE = 256  # pixels of an image in the grid
WARPED = ("warp", "matches")  # what paints what, which is not shown of a grid
STEPS, START_AT = 10, 3  # half of a single transfer's


def grid_graph(structures: Sequence[GraphImage], appearances: Sequence[GraphImage], size: int) -> Graph:
    """Every structure with every appearance in one batch, by the graph of a single transfer in half as many steps.

    As many structures as appearances. Output nodes: `draw` (the grid) and `save` (every transfer, row by row).
    """
    images = list(zip(structures, appearances, strict=True))
    singles = [
        demo_graph(Transfer(structure, appearance, size, None, STEPS, START_AT)) for structure, appearance in images
    ]
    graph = {name: node for name, node in singles[0].items() if not _role(name) and name not in WARPED}
    for number, single in enumerate(singles, start=1):
        graph |= {f"{name}_{number}": _renamed(node, number) for name, node in single.items() if _role(name)}
    for name in [name for name in graph if name.startswith("show_") or "_image_" in name]:
        del graph[name]
    numbers = range(1, len(images) + 1)
    for role in ROLES:
        batch = {f"images.image{i}": [f"{role}_{number}", 0] for i, number in enumerate(numbers)}
        graph[f"{role}s"] = {"class_type": "BatchImagesNode", "inputs": batch}
    inverted = {
        f"{role}s.{role}{i}": [f"invert_{role}_{number}", 0] for role in ROLES for i, number in enumerate(numbers)
    }
    graph["grid"] = {"class_type": OURS + "TransferGrid", "inputs": inverted}
    graph["attention"]["inputs"]["structure"] = ["grid", 0]
    graph["match"]["inputs"] |= {"structure": ["grid", 0], "appearance": ["grid", 1]}
    graph["weigh"]["inputs"]["reference"] = ["grid", 1]
    graph["guider"]["inputs"]["positive"] = ["grid", 2]
    graph["adain"]["inputs"]["appearance"] = ["grid", 1]
    graph["resume"]["inputs"]["inversion"] = ["grid", 0]
    originals = {f"{role}s": [f"{role}s", 0] for role in ROLES}
    drawn = originals | {"outputs": ["decode", 0], "names": "", "tile": TILE}
    graph["draw"] = {"class_type": OURS + "DrawGrid", "inputs": drawn}
    return graph


def _role(name: str) -> bool:
    """Is it a node of one of the two images?"""
    return any(role in name.split("_") for role in ROLES)


def _renamed(node: dict[str, Any], number: int) -> dict[str, Any]:
    inputs = {
        key: [f"{value[0]}_{number}", value[1]] if isinstance(value, list) and _role(value[0]) else value
        for key, value in node["inputs"].items()
    }
    return {"class_type": node["class_type"], "inputs": inputs}


def grid_measures(
    client: Client, outcome: PromptResult, structures: Sequence[GraphImage], appearances: Sequence[GraphImage]
) -> dict[str, Any]:
    """Seconds of the grid, the seeds of its scenes, and the part-color error of every transfer, row by row."""
    pairs = [(structure.seed, appearance.seed) for structure in structures for appearance in appearances]
    outputs = [
        Image.open(io.BytesIO(client.image(outcome, "save", index))).convert("RGB") for index in range(len(pairs))
    ]
    return {
        "seconds": round(sum(outcome.seconds.values()), 2),
        "structure_seeds": [image.seed for image in structures],
        "appearance_seeds": [image.seed for image in appearances],
        "part_color_errors": [
            measured(*pair, output)["part_color_error"] for pair, output in zip(pairs, outputs, strict=True)
        ],
    }
