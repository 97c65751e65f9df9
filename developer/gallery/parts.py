"""What several workflows are made of: pocket images, groups of nodes that stand alike, a note on the pocket."""

from collections.abc import Mapping, Sequence
from typing import Any

from ...pocket.scene import random_scene
from ..client import Graph
from ..object_info import UNSAVED
from ..transfer_graph import GraphImage

MASK_IMAGES = ("mask_{}_image", "show_{}_mask")  # Self-Segmentation shows its mask itself
POCKET_NOTE = (
    "The **pocket checkpoint** and **Pocket Scene** come with the pack, nothing has to be downloaded. They are a test "
    "bench and a first experience: tiny images of toy animals, not what a real checkpoint can do. For your own "
    "images put *Load Checkpoint* (an SD1.5 file in `ComfyUI/models/checkpoints`) in the place of *Load Pocket "
    "Checkpoint*, and *Load Image* with *Upscale Image* (512 x 512, center crop) in the place of *Pocket Scene*, or "
    "open template 02."
)

COMPARE_NOTE = (
    "*Compare Images* lays the output over the structure, with a slider between them; ComfyUI shows it in Nodes 2.0 "
    "only.\n\n"
)


def pocket_image(seed: int) -> GraphImage:
    """The scene of this seed, with the word for what it shows."""
    return GraphImage(random_scene(seed).species, seed=seed)


def inverting(roles: Sequence[str], *texts: str) -> list[list[str]]:
    """The inversion of each role, side by side. texts: nodes of texts that something else reads, too."""
    columns = [[f"invert_{role}"] for role in roles]
    columns[-1] += texts
    return columns


def compared(graph: Graph) -> Graph:
    """The graph with the structure and what became of it under ComfyUI's slider."""
    (view,) = UNSAVED.values()
    before_and_after = {"image_a": ["structure", 0], "image_b": ["decode", 0]}
    return graph | {"compare": node("ImageCompare", **before_and_after, compare_view=view)}


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
