"""Every appearance on every structure, in one batch."""

from ..client import Graph
from ..transfer_graph import OURS, GraphImage, Transfer, transfer_graph
from ..ui_layout import Group
from .compact import compact
from .parts import MASK_IMAGES, POCKET_NOTE, inverting, node, without
from .workflow_template import WorkflowTemplate

SCENES = {  # the species of a kind, one since a batch is inverted under one text; seed and coat of each image
    "structure": ("horse", [(27, "plain"), (12, "plain")]),
    "appearance": ("cow", [(38, "spotted"), (7, "striped"), (21, "patched")]),
}
GRID = "grid"


def transfer_grid() -> WorkflowTemplate:
    (shape, shapes), (appearance, columns) = SCENES["structure"], SCENES["appearance"]
    graph = transfer_graph(Transfer(GraphImage(shape), GraphImage(appearance)))
    graph = without(graph, "mask_{}", *MASK_IMAGES)
    del graph["matches"]
    for role in SCENES:
        _batch_scenes(graph, role)
    graph[GRID] = node(
        OURS + "TransferGrid", structure_mask=["masks_structure", 0], appearance_mask=["masks_appearance", 0],
        **{f"{role}s.{role}0": [f"invert_{role}", 0] for role in SCENES},
    )  # fmt: skip
    graph["attention"]["inputs"] |= {"structure": [GRID, 0], "appearances.appearance0": [GRID, 1]}
    graph["guider"]["inputs"] |= {"positive": [GRID, 2]}
    graph["adain"]["inputs"] |= {"appearance": [GRID, 1], "mask": [GRID, 3], "appearance_mask": [GRID, 4]}
    graph["resume"]["inputs"] |= {"inversion": [GRID, 0]}
    del graph["show_structure"], graph["show_appearance"]
    graph["draw"] = node(
        OURS + "DrawGrid", structures=["structure", 0], appearances=["appearance", 0], outputs=["decode", 0],
        names="\n".join(coat for _, coat in columns),
    )  # fmt: skip
    graph["save"]["inputs"] |= {"filename_prefix": "grid"}
    graph = compact(graph)
    scenes = [[f"{role}_{number}" for number in range(1, len(SCENES[role][1]) + 1)] for role in SCENES]
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", *scenes[0]], scenes[1]]),
        Group("2. A batch of each", [["structure", "masks_structure"], ["appearance", "masks_appearance"]]),
        Group("3. Invert each once", inverting(tuple(SCENES))),
        Group("4. Pair every structure with every appearance", [[GRID]]),
        Group("5. Transfer", [["attention", "guider", "adain"]]),
        Group("6. Sample", [["sample"], ["decode", "save"]]),
        Group("7. Look", [["draw"]]),
    ]
    note = (
        "# A grid of transfers\n"
        f"{len(shapes)} structures and {len(columns)} appearances are inverted once each, and *Transfer Grid* makes "
        f"{len(shapes) * len(columns)} pairs of them, which are sampled in one batch: the first row has the first "
        "structure under all appearances, the second row the second. What one image shows to the others is computed "
        "once per step, however many pairs look at it.\n\n"
        "More images: another *Pocket Scene* into *Batch Images* and its mask into *Batch Masks*. Images of other "
        "things, inverted under other texts, go into the next free input of *Transfer Grid*. For whole folders there "
        f"is `python dev.py grid`.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _batch_scenes(graph: Graph, role: str) -> None:
    """Several scenes in the place of one, as a batch of images and a batch of masks."""
    species, images = SCENES[role]
    scene = graph[role]["inputs"]
    for number, (seed, coat) in enumerate(images, start=1):
        about = {"seed": seed, "species": species, "coat": coat}
        graph[f"{role}_{number}"] = node(OURS + "PocketScene", **scene | about)
    names = [f"{role}_{number}" for number in range(1, len(images) + 1)]
    graph[role] = node("BatchImagesNode", **{f"images.image{i}": [name, 0] for i, name in enumerate(names)})
    graph[f"masks_{role}"] = node("BatchMasksNode", **{f"masks.mask{i}": [name, 1] for i, name in enumerate(names)})
