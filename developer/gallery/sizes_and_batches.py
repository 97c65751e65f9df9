"""Images of other shapes, and several structures in one queue."""

from typing import Any

from ..client import Graph
from ..transfer_graph import OURS, GraphImage, Transfer, simple_graph
from ..ui_layout import Group
from .cross_image import TITLES
from .parts import POCKET_NOTE, node
from .workflow_template import WorkflowTemplate

SHAPE, APPEARANCE = "horse", "cow"
WIDE = [(38, "spotted"), (7, "spotted")]  # seed and coat of the scenes that stand side by side in one appearance
MANY = [(27, "plain"), (12, "plain"), (3, "plain"), (5, "plain")]  # of the structures


def wide_appearance() -> WorkflowTemplate:
    graph = simple_graph(Transfer(GraphImage(SHAPE), GraphImage(APPEARANCE)))
    graph["structure"]["inputs"] |= {"seed": MANY[0][0], "species": SHAPE, "coat": MANY[0][1]}
    sides = _scenes(graph, "appearance", APPEARANCE, WIDE)
    graph["appearance"] = node(
        "ImageStitch", image1=[sides[0], 0], image2=[sides[1], 0], direction="right", match_image_size=True,
        spacing_width=0, spacing_color="white",
    )  # fmt: skip
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", "structure"], [*sides], ["appearance"]]),
        Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
        Group("3. Transfer", [["attention", "sample"], ["decode", "save"]]),
    ]
    note = (
        "# An appearance of another shape\n"
        "The structure is square, the appearance twice as wide as it is high. Nothing is cropped or squeezed: an "
        "appearance keeps its own size and aspect ratio, since attention takes any number of positions. The output has "
        f"the size of the structure.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, TITLES)


def many_structures() -> WorkflowTemplate:
    graph = simple_graph(Transfer(GraphImage(SHAPE), GraphImage(APPEARANCE)))
    graph["appearance"]["inputs"] |= {"seed": WIDE[0][0], "species": APPEARANCE, "coat": WIDE[0][1]}
    scenes = _scenes(graph, "structure", SHAPE, MANY)
    graph["structure"] = node("BatchImagesNode", **{f"images.image{i}": [name, 0] for i, name in enumerate(scenes)})
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", "appearance"], scenes[:2], scenes[2:], ["structure"]]),
        Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
        Group("3. Transfer", [["attention", "sample"], ["decode", "save"]]),
    ]
    note = (
        "# Many structures, one appearance\n"
        f"A batch of {len(MANY)} structures takes the look of one appearance in one queue. At every step the "
        "appearance is run once for all of them, so each further structure costs its own inversion and output only. "
        "The frames of a clip go in the same way, as one batch of images of one size, under one text.\n\n"
        f"{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, TITLES)


def _scenes(graph: Graph, role: str, species: str, images: list[tuple[int, str]]) -> list[str]:
    """Add pocket scenes of one species beside that of a role; their names."""
    scene: dict[str, Any] = graph[role]["inputs"] | {"species": species}
    names = [f"{role}_{number}" for number in range(1, len(images) + 1)]
    for name, (seed, coat) in zip(names, images, strict=True):
        graph[name] = node(OURS + "PocketScene", **scene | {"seed": seed, "coat": coat})
    return names
