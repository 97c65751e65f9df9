"""A workflow for a user's own checkpoint, run where that checkpoint is not."""

from ..client import Graph
from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, GraphImage, Transfer


def on_the_pocket(graph: Graph, vit: str = "") -> Graph:
    """A graph for a user's own checkpoint with the pocket one in its place, scenes for images, and words it knows.

    vit: the name of another file for Load DINO ViT. All other nodes and links stay as they are: so such a workflow can
    be run where those models are not.
    """
    seeds = iter((STRUCTURE_SEED, APPEARANCE_SEED))
    size = Transfer(GraphImage(""), GraphImage("")).size
    swapped: Graph = {}
    for name, node in graph.items():
        kind, inputs = node["class_type"], dict(node["inputs"])
        if kind == "CheckpointLoaderSimple":
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
