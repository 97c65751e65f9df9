"""The main job as one node: a checkpoint, two images, a text, two strengths, and masks for those who have them."""

from ...attention.windows import ADAIN
from ..transfer_graph import OURS, GraphImage, Link, Transfer, simple_graph
from ..ui_layout import Group
from .blueprint import Blueprint, Inlet
from .parts import node

ROLES = ("structure", "appearance")
LOADED = ("model", "clip", "vae")
HELD = "min(max(a, 0), 1)"  # a strength, whatever is typed


def simple() -> Blueprint:
    """Cross-image attention at the images' own sizes, of any aspect ratio, with AdaIN between the steps.

    Both strengths are 0 to 1. The structure's is the part of the steps that is left out at the noisy end. The
    appearance's is the part of the attention that goes to the appearance, and moves the start of AdaIN from the end of
    the schedule to where it is by default: so 0 gives the structure back.
    """
    structure, appearance = (GraphImage("animal", file=f"{role}.png") for role in ROLES)
    transfer = Transfer(structure, appearance)
    graph = simple_graph(transfer)
    for name in (*ROLES, "checkpoint", "save"):
        del graph[name]
    for about in graph.values():
        about["inputs"] = {name: link for name, link in about["inputs"].items() if not _from_a_loader(link)}
    steps = graph["invert_structure"]["inputs"]["steps"]
    graph["structure_strength"] = node("PrimitiveFloat", value=transfer.start_at_step / steps)
    graph["left_out"] = _computed(f"min(round({HELD} * {steps}), {steps - 1})", ["structure_strength", 0])
    graph["appearance_strength"] = node("PrimitiveFloat", value=1.0)
    graph["adain_start"] = _computed(f"1 - {1 - ADAIN.start_percent:g} * {HELD}", ["appearance_strength", 0])
    for role in ROLES:
        graph[f"invert_{role}"]["inputs"] |= {"text": "", "start_at_step": ["left_out", 1]}
    graph["options"] = node(OURS + "AppearanceOptions", reference=["invert_appearance", 0])
    graph["attention"]["inputs"] |= {
        "appearances.appearance0": ["options", 0], "strength": ["appearance_strength", 0],
    }  # fmt: skip
    graph["adain"] = node(OURS + "AdaIN", appearance=["invert_appearance", 0], start_percent=["adain_start", 0])
    graph["sample"]["inputs"]["between_steps"] = ["adain", 0]
    both = [f"invert_{role}" for role in ROLES]
    inlets = [
        *(Inlet(role, f"{role} image", [(f"invert_{role}", "image")]) for role in ROLES),
        Inlet("model", "model", [(name, "model") for name in (*both, "attention")]),
        Inlet("clip", "clip", [(name, "clip") for name in both]),
        Inlet("vae", "vae", [(name, "vae") for name in (*both, "decode")]),
        Inlet("mask", "mask of the output (optional)", [("options", "mask"), ("adain", "mask")]),
        Inlet("appearance_mask", "mask of the appearance (optional)", [("adain", "appearance_mask")]),
        Inlet("text", "what both show (may stay empty)", [(name, "text") for name in both]),
        Inlet("structure_strength", "structure strength (0 to 1)", [("structure_strength", "value")]),
        Inlet("appearance_strength", "appearance strength (0 to 1)", [("appearance_strength", "value")]),
    ]
    groups = [
        Group("1. Strengths", [["structure_strength", "left_out"], ["appearance_strength", "adain_start"]]),
        Group("2. Prepare both", [both]),
        Group("3. Transfer", [["options", "attention"], ["adain"]]),
        Group("4. Sample", [["sample", "decode"]]),
    ]
    note = (
        "# Appearance and style transfer (simple)\n"
        "What the one node holds: the structure is inverted and the appearance noised under one text; while the output "
        "is sampled from the structure's noise, its attention reads the appearance, and AdaIN gives it the colors of "
        "the appearance. *structure strength* is the part of the steps that is left out at the noisy end, "
        "*appearance strength* is *strength* of *Cross-Image Attention* and starts *AdaIN* the earlier, the higher it "
        "is. For several appearances and all other parameters open the templates of this pack."
    )
    description = (
        "Gives the structure image the look of the appearance image, on an SD1.5, SD2.x or SDXL checkpoint, by "
        "cross-image attention and without training."
    )
    return Blueprint(graph, inlets, ("image", "decode", 0), groups, note, description)


def _from_a_loader(value: object) -> bool:
    return isinstance(value, list) and value[0] in ("checkpoint", *ROLES)


def _computed(expression: str, value: Link) -> dict:
    """A number made of another, which the expression calls `a`; its outputs are FLOAT and INT."""
    return node("ComfyMathExpression", expression=expression, **{"values.a": value})
