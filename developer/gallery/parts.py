"""What several workflows are made of: pocket images, groups of nodes that stand alike, a note on the pocket."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...pocket.scene import random_scene
from ..client import Graph
from ..transfer_graph import GraphImage
from ..ui_layout import Group

MASK_IMAGES = ("mask_{}_image", "show_{}_mask")  # Self-Segmentation shows its mask itself
POCKET_NOTE = (
    "The **pocket checkpoint** and **Pocket Scene** come with the pack, nothing has to be downloaded. They are a test "
    "bench and a first experience: tiny images of toy animals, not what a real checkpoint can do. For your own "
    "images put *Load Checkpoint* (an SD1.5 file in `ComfyUI/models/checkpoints`) in the place of *Load Pocket "
    "Checkpoint*, and *Load Image* with *Upscale Image* (512 x 512, center crop) in the place of *Pocket Scene*, or "
    "open workflow 2."
)


def pocket_image(seed: int) -> GraphImage:
    """The scene of this seed, with the word for what it shows."""
    return GraphImage(random_scene(seed).species, seed=seed)


def main_groups() -> list[Group]:
    return [
        Group("2. Invert both", inverting(("structure", "appearance"))),
        Group("3. Look: objects and matches", [["mask_structure", "mask_appearance"], ["matches"]]),
        *sampling_groups(4),
    ]


def inverting(roles: Sequence[str]) -> list[list[str]]:
    texts = [*(f"text_{role}" for role in roles), "no_text"]
    return [texts, [f"encode_{role}" for role in roles], [f"invert_{role}" for role in roles]]


def sampling_groups(number: int) -> list[Group]:
    return [
        Group(f"{number}. Transfer", [["attention", "guider"], ["adain", "resume"]]),
        Group(f"{number + 1}. Sample", [["sample", "decode", "save"]]),
    ]


def without(graph: Graph, *endings: str) -> Graph:
    """The graph without some of the nodes of both images."""
    gone = {ending.format(role) for role in ("structure", "appearance") for ending in endings}
    return {name: node for name, node in graph.items() if name not in gone}


def node(class_type: str, **inputs: Any) -> dict[str, Any]:
    return {"class_type": class_type, "inputs": inputs}


def relinked(about: dict[str, Any], names: Mapping[str, str]) -> dict[str, Any]:
    """The node with its links to some nodes turned to others."""
    inputs = {
        key: [names.get(value[0], value[0]), value[1]] if isinstance(value, list) else value
        for key, value in about["inputs"].items()
    }
    return node(about["class_type"], **inputs)
