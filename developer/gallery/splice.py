"""Splice: a generator trained on one pair of photographs, applied to others; and what the ViT that judges it sees."""

from ..client import Graph
from ..transfer_graph import OURS
from ..ui_layout import Group
from .matching import draw_matches
from .parts import node
from .workflow_template import DINO, DINO_SOURCE, WorkflowTemplate

KEPT = "splice"  # Save Splice Generator appends a number: the first file is splice_00001.safetensors
STRUCTURE, APPEARANCE = "structure.png", "appearance.png"
VIT_NOTE = (
    f"Put a DINO ViT, for example [{DINO}]({DINO_SOURCE}) (ViT-B/8, 340 MB, what the paper uses), into "
    "`ComfyUI/models/dino` and choose it in *Load DINO ViT*; ViT-S/16 and DINOv2 are smaller and quicker."
)


def train() -> WorkflowTemplate:
    graph = _photographs()
    graph["train"] = node(
        OURS + "TrainSplice", structure=["structure", 0], appearance=["appearance", 0], vit=["vit", 0],

    )  # fmt: skip
    graph["fit"] = node(
        "ImageScale", image=["structure", 0], upscale_method="lanczos", width=512, height=512, crop="center"
    )
    graph["losses"] = node("PreviewImage", images=["train", 2])
    graph["report"] = node("PreviewAny", source=["train", 3])
    graph["keep"] = node(OURS + "SaveSpliceGenerator", generator=["train", 1], filename_prefix=KEPT)
    graph["apply"] = node(OURS + "ApplySpliceGenerator", generator=["keep", 0], image=["fit", 0])
    graph["distance"] = node(
        OURS + "StructureDistance", vit=["vit", 0], output=["apply", 0], structure=["fit", 0],
    )  # fmt: skip
    graph["save"] = node("SaveImage", images=["train", 0], filename_prefix="splice")
    groups = [
        Group("1. Images and ViT", [["structure", "appearance"], ["vit"]]),
        Group("2. Train on this pair", [["train"]]),
        Group("3. Look", [["save"], ["losses", "report"]]),
        Group("4. Keep it, and measure", [["keep"], ["fit", "apply"], ["distance"]]),
    ]
    note = (
        "# Splice: a generator for one pair\n"
        f"1. {VIT_NOTE}\n"
        "2. Choose the two photographs: above the one that gives the shape, below the one that gives the look; the "
        "same kind of thing in both works best.\n"
        "3. Queue. 2000 steps take about 20 minutes on a large GPU; the node shows what the generator makes so far, "
        "and when you cancel, what was learned is kept in `output/splice`.\n\n"
        "No diffusion model is needed. The generator is small and belongs to this pair alone."
    )
    return WorkflowTemplate(graph, groups, note)


def apply() -> WorkflowTemplate:
    graph: Graph = {
        "load": node(OURS + "LoadSpliceGenerator", name=f"{KEPT}_00001.safetensors"),
        "structure": node("LoadImage", image=STRUCTURE),
        "apply": node(OURS + "ApplySpliceGenerator", generator=["load", 0], image=["structure", 0]),
        "save": node("SaveImage", images=["apply", 0], filename_prefix="splice_applied"),
    }
    groups = [Group("1. Generator and image", [["load", "structure"]]), Group("2. Apply", [["apply", "save"]])]
    note = (
        "# Apply a trained generator\n"
        "One pass, any size from 64 px on: the image it was trained on at full resolution, or one much like it, such "
        "as other frames of the same shot. Train one first with the workflow before this, then press R so that *Load "
        "Splice Generator* finds the file."
    )
    return WorkflowTemplate(graph, groups, note)


def feature_inversion() -> WorkflowTemplate:
    graph = _photographs("structure")
    for feature, steps in (("keys", 300), ("CLS", 300)):
        graph[f"invert_{feature}"] = node(
            OURS + "InvertViTFeature", vit=["vit", 0], image=["structure", 0], feature=feature, steps=steps,
        )  # fmt: skip
    graph["save"] = node("SaveImage", images=["invert_keys", 0], filename_prefix="keys")
    graph["show"] = node("PreviewImage", images=["invert_CLS", 0])
    groups = [
        Group("1. Image and ViT", [["structure"], ["vit"]]),
        Group("2. What the keys hold: layout", [["invert_keys", "save"]]),
        Group("3. What the CLS token holds: look", [["invert_CLS", "show"]]),
    ]
    note = (
        "# What a ViT feature holds of an image\n"
        "A network paints until its image has the same feature. From the **keys** the layout comes back; from "
        "the **CLS** token colors and textures come back, but no layout. That is why Splice takes one for the "
        "structure and the other for the appearance.\n\n"
        f"{VIT_NOTE}\n\nThe paper paints for 20000 steps; 300 show where it is going."
    )
    return WorkflowTemplate(graph, groups, note)


def key_self_similarity() -> WorkflowTemplate:
    graph = _photographs()
    for role in ("structure", "appearance"):
        graph[f"similarity_{role}"] = node(OURS + "ShowKeySelfSimilarity", vit=["vit", 0], image=[role, 0])
        graph[f"features_{role}"] = node(
            OURS + "DINOFeatures", vit=["vit", 0], image=[role, 0], resolution=448,
        )  # fmt: skip
    graph["match"] = node(
        OURS + "MatchFeatures", structure=["features_structure", 0], appearance=["features_appearance", 0],
        method="mutual",
        structure_image=["structure", 0], appearance_image=["appearance", 0],
    )  # fmt: skip
    graph["draw"] = draw_matches()
    graph["save"] = node("SaveImage", images=["draw", 0], filename_prefix="dino_matches")
    groups = [
        Group("1. Images and ViT", [["structure", "appearance"], ["vit"]]),
        Group("2. What belongs together", [["similarity_structure", "similarity_appearance"]]),
        Group("3. Match by DINO instead of DIFT", [["features_structure", "features_appearance"], ["match"]]),
        Group("4. Look", [["draw"], ["save"]]),
    ]
    note = (
        "# What the ViT sees\n"
        "*Show Key Self-Similarity* gives positions that the keys hold for alike a like color: this is what Splice "
        "keeps of the structure. The same keys can be matched between two images, in the place of DIFT features.\n\n"
        f"{VIT_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _photographs(*roles: str) -> Graph:
    """The photographs of a user's own, and the ViT."""
    files = {"structure": STRUCTURE, "appearance": APPEARANCE}
    graph: Graph = {role: node("LoadImage", image=files[role]) for role in roles or files}
    return graph | {"vit": node(OURS + "LoadDINOViT", name=DINO)}
