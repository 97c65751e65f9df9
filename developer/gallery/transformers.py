"""Transfers on transformers: part by part on the pocket one, and by likeness on published ones that a user has."""

from ...pocket.checkpoint import LARGE_NETWORK, TRANSFORMER_NETWORK
from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, Transfer, simple_graph
from ..ui_layout import Group
from .cross_image import TITLES
from .matching import add_features, match_features
from .parts import COMPARE_NOTE, POCKET_NOTE, compared, node, pocket_image
from .workflow_template import WorkflowTemplate

SIZE = 256
DEVIATING_STEPS = 8
FOR_THE_TRANSFORMER = "CLIP Text Encode (Prompt): for the transformer"
LOADERS = {
    "transformer": "Load Pocket Checkpoint: transformer", "checkpoint": "Load Pocket Checkpoint: U-Net for the matches",
    "features_structure": "DIFT Features: structure", "features_appearance": "DIFT Features: appearance",
    "text_structure": "CLIP Text Encode (Prompt): structure",
    "text_appearance": "CLIP Text Encode (Prompt): appearance",
}  # fmt: skip

MATCHED_ON_A_UNET = (
    Group("1. Checkpoints and images", [["transformer", "checkpoint"], ["structure", "appearance"]]),
    Group(
        "2. Match on the U-Net",
        [["text_structure", "text_appearance"], ["features_structure", "features_appearance"], ["matches"]],
    ),
)


def on_the_pocket_transformer() -> WorkflowTemplate:
    """Semantic Rearrangement by the matches of a U-Net, inside the animals."""
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED), size=SIZE)
    simple = simple_graph(transfer)
    loader = OURS + "LoadPocketCheckpoint"
    graph = {
        "transformer": node(loader, network=TRANSFORMER_NETWORK),
        "checkpoint": node(loader, network=LARGE_NETWORK),
        "structure": simple["structure"],
        "appearance": simple["appearance"],
    }
    for role in ("structure", "appearance"):
        prompt = simple[f"invert_{role}"]["inputs"]["text"]
        graph[f"text_{role}"] = node("CLIPTextEncode", text=prompt, clip=["checkpoint", 1])
        inputs = simple[f"invert_{role}"]["inputs"]
        on_it = {"model": ["transformer", 0], "clip": ["transformer", 1], "vae": ["transformer", 2]}
        graph[f"invert_{role}"] = node(simple[f"invert_{role}"]["class_type"], **(inputs | on_it))
    add_features(graph)
    graph["matches"] = match_features()
    graph["options"] = node(
        OURS + "AppearanceOptions", reference=["invert_appearance", 0], mask=["structure", 1], matches=["matches", 0]
    )
    graph["attention"] = node(
        OURS + "SemanticRearrangement", model=["transformer", 0], inject="kv",
        **{"appearances.appearance0": ["options", 0]},
    )  # fmt: skip
    graph |= {name: simple[name] for name in ("sample", "decode", "save")}
    graph["decode"] = node("VAEDecode", samples=["sample", 0], vae=["transformer", 2])
    graph = compared(graph)
    groups = [
        *MATCHED_ON_A_UNET,
        Group("3. Prepare both on the transformer", [["invert_structure"], ["invert_appearance"]]),
        Group("4. Transfer", [["options", "attention"], ["sample", "decode"], ["save", "compare"]]),
    ]
    note = (
        "# A transfer on a transformer, part by part\n"
        "Each position of the output takes the keys and values of its match in the appearance, as if they had been "
        "computed at its own place. The matches are found on a U-Net, which may be any other checkpoint: they only say "
        "which place of one image belongs to which of the other. *Match Features* shows them, and lets you correct "
        f"them.\n\n{COMPARE_NOTE}{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, TITLES | LOADERS)


def deviating_on_the_pocket_transformer() -> WorkflowTemplate:
    """Latent Deviation by the matches of a U-Net, inside the animals, in few steps."""
    graph = dict(on_the_pocket_transformer().graph)
    inverted = graph["invert_structure"]["inputs"]
    kept = {name: inverted[name] for name in ("model", "image", "vae", "clip", "text")}
    graph["invert_structure"] = node(OURS + "InvertImageDDIM", **kept, steps=DEVIATING_STEPS)
    graph["matches"]["inputs"]["method"] = "field"
    del graph["options"], graph["attention"]
    graph |= {
        "text": node("CLIPTextEncode", text=inverted["text"], clip=["transformer", 1]),
        "guider": node("BasicGuider", model=["transformer", 0], conditioning=["text", 0]),
        "resume": node(OURS + "ResumeFromInversion", inversion=["invert_structure", 0]),
        "deviate": node(
            OURS + "LatentDeviation", structure=["invert_structure", 0], appearance=["invert_appearance", 0],
            mask=["structure", 1], appearance_mask=["appearance", 1], matches=["matches", 0],
            start_percent=0.0, end_percent=0.8,
        ),
        "sample": node(
            "SamplerCustomAdvanced", noise=["resume", 0], guider=["guider", 0], sampler=["deviate", 0],
            sigmas=["resume", 2], latent_image=["resume", 3],
        ),
    }  # fmt: skip
    groups = [
        *MATCHED_ON_A_UNET,
        Group("3. Prepare both on the transformer", [["invert_structure"], ["invert_appearance"]]),
        Group("4. Transfer", [["deviate"], ["text", "resume", "guider"]]),
        Group("5. Sample", [["sample"], ["decode", "save", "compare"]]),
    ]
    note = (
        "# Latent Deviation on a transformer\n"
        "The structure is inverted without noise maps. On the way back, what the model takes the image for moves "
        "towards the appearance, whose pieces are laid where they match, and the model makes it whole. *start_percent* "
        f"and *end_percent* leave the last steps to the model alone; {DEVIATING_STEPS} steps are enough.\n\n"
        f"{COMPARE_NOTE}{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, LOADERS | {"text": FOR_THE_TRANSFORMER})
