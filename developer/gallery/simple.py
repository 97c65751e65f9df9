"""The main job as one node: two images, a text, two strengths, and masks for those who have them."""

from ..transfer_graph import OURS, GraphImage, Transfer, simple_graph
from ..ui_layout import Group
from .blueprint import Blueprint, Inlet
from .parts import node
from .workflow_template import SD15

ROLES = ("structure", "appearance")


def simple() -> Blueprint:
    """Cross-image attention at the images' own sizes, without AdaIN, so that appearance strength 0 gives the structure
    back.

    The structure's strength is the number of steps that are left out at the noisy end (start_at_step of 100), the
    appearance's the part of the attention that goes to the appearance.
    """
    structure, appearance = (GraphImage("animal", file=f"{role}.png") for role in ROLES)
    graph = simple_graph(Transfer(structure, appearance, size=512, checkpoint=SD15))
    for role in ROLES:
        del graph[role]
        del graph[f"invert_{role}"]["inputs"]["image"]
        graph[f"invert_{role}"]["inputs"]["text"] = ""
    graph["options"] = node(OURS + "AppearanceOptions", reference=["invert_appearance", 0])
    graph["attention"]["inputs"]["appearances.appearance0"] = ["options", 0]
    del graph["save"]
    inlets = [
        *(Inlet(role, f"{role} image", [(f"invert_{role}", "image")]) for role in ROLES),
        Inlet("mask", "mask of the output (optional)", [("options", "mask")]),
        Inlet("checkpoint", "checkpoint", [("checkpoint", "ckpt_name")]),
        Inlet("text", "what both show (may stay empty)", [(f"invert_{role}", "text") for role in ROLES]),
        Inlet(
            "structure_strength",
            "structure strength (0 to 99)",
            [(f"invert_{role}", "start_at_step") for role in ROLES],
        ),
        Inlet("appearance_strength", "appearance strength (0 to 1)", [("attention", "strength")]),
    ]
    groups = [
        Group("1. Checkpoint", [["checkpoint"]]),
        Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
        Group("3. Transfer", [["options", "attention"]]),
        Group("4. Sample", [["sample", "decode"]]),
    ]
    note = (
        "# Appearance transfer (simple)\n"
        "What the one node holds: the structure is inverted and the appearance noised under one text; while the output "
        "is sampled from the structure's noise, its attention reads the appearance. *structure strength* is "
        "*start_at_step* of both, *appearance strength* is *strength* of *Cross-Image Attention*. For several "
        "appearances, AdaIN and all other parameters open the templates of this pack."
    )
    description = (
        "Gives the structure image the look of the appearance image, on an SD1.5, SD2.x or SDXL checkpoint, by "
        "cross-image attention and without training."
    )
    return Blueprint(graph, inlets, ("image", "decode", 0), groups, note, description)
