"""A workflow for a user's own checkpoint, run where that checkpoint is not."""

from ...pocket.checkpoint import TRANSFORMER_NETWORK
from ..client import Graph
from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, GraphImage, Transfer

TRANSFORMER_SIZE = 256
APART = {"CLIPLoader": 1, "DualCLIPLoader": 1, "VAELoader": 2}
"""Loaders of a part of a transformer, and which output of Load Pocket Checkpoint it is."""


def on_the_pocket(graph: Graph, vit: str = "") -> Graph:
    """A graph for a user's own checkpoint with the pocket one in its place, scenes for images, and words it knows.

    A transformer of three files becomes the pocket one. vit: the name of another file for Load DINO ViT. All other
    nodes and links stay as they are: so such a workflow can be run where those models are not.
    """
    seeds = iter((STRUCTURE_SEED, APPEARANCE_SEED))
    network = next((name for name, node in graph.items() if node["class_type"] == "UNETLoader"), None)
    size = Transfer(GraphImage(""), GraphImage("")).size if network is None else TRANSFORMER_SIZE
    parts = {name: APART[node["class_type"]] for name, node in graph.items() if network and node["class_type"] in APART}
    swapped: Graph = {}
    for name, node in graph.items():
        if name in parts:
            continue
        kind = node["class_type"]
        inputs = {
            key: [network, parts[value[0]]] if isinstance(value, list) and value[0] in parts else value
            for key, value in node["inputs"].items()
        }
        if kind == "UNETLoader":
            kind, inputs = OURS + "LoadPocketCheckpoint", {"network": TRANSFORMER_NETWORK}
        elif kind == "CheckpointLoaderSimple":
            kind, inputs = OURS + "LoadPocketCheckpoint", {}
        elif kind == "LoadImage":
            kind, inputs = OURS + "PocketScene", {"seed": next(seeds), "size": size}
        elif kind == OURS + "LoadDINOViT":
            inputs |= {"name": vit}
        elif kind == "ImageScale":
            inputs |= {"width": size, "height": size}
        known = {key: value.replace("zebra", "cow") for key, value in inputs.items() if isinstance(value, str)}
        swapped[name] = {"class_type": kind, "inputs": inputs | known}
    return swapped
