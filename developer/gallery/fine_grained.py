"""Fine-grained Appearance Transfer: null-text inversion, a word's mask, and deviation of the predicted image."""

from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, Transfer, transfer_graph
from ..ui_layout import Group
from .compact import compact
from .cross_image import IMAGES
from .parts import MASK_IMAGES, POCKET_NOTE, inverting, node, pocket_image, without
from .workflow_template import WorkflowTemplate

STEPS = 50
POCKET_GUIDANCE = 3.5


def fine_grained_transfer() -> WorkflowTemplate:
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED))
    graph = without(transfer_graph(transfer), "mask_{}", "show_{}", *MASK_IMAGES)
    for name in ("matches", "attention", "adain"):
        del graph[name]
    prompts = {
        role: {
            "model": ["checkpoint", 0], "latent": [f"encode_{role}", 0],
            "positive": [f"text_{role}", 0], "negative": ["no_text", 0],
            "text": getattr(transfer, role).prompt,
        }
        for role in ("structure", "appearance")
    }  # fmt: skip
    graph["invert_structure"] = node(
        OURS + "NullTextInversion", **prompts["structure"], steps=STEPS, cfg=POCKET_GUIDANCE,
    )  # fmt: skip
    graph["invert_appearance"] = node(OURS + "InvertImageDDIM", **prompts["appearance"])
    structure: list = ["invert_structure", 0]
    graph["report"] = node(
        OURS + "InversionReport", model=["checkpoint", 0], inversion=structure, vae=["checkpoint", 2]
    )
    graph["word"] = node(
        OURS + "WordAttentionMap", model=["checkpoint", 0], inversion=structure, clip=["checkpoint", 1],
        word=transfer.structure.noun, threshold=0.7,
    )  # fmt: skip
    graph["deviate"] = node(
        OURS + "LatentDeviation", structure=structure, appearance=["invert_appearance", 0], mask=["word", 0],
    )  # fmt: skip
    graph["resume"] = node(OURS + "ResumeFromInversion", inversion=structure)
    graph["guider"] = node(
        OURS + "NullTextGuider", model=["checkpoint", 0], positive=["text_structure", 0], inversion=structure,
        cfg=POCKET_GUIDANCE,
    )  # fmt: skip
    graph["sample"]["inputs"]["sampler"] = ["deviate", 0]
    graph = compact(graph)
    groups = [
        IMAGES,
        Group("2. Invert both", inverting(("structure", "appearance"), "text_structure")),
        Group("3. How good is it, and where", [["report"], ["word"]]),
        Group("4. Transfer", [["deviate"], ["resume", "guider"]]),
        Group("5. Sample", [["sample"], ["decode", "save"]]),
    ]
    note = (
        "# Fine-grained Appearance Transfer: bend the image that the model is about to make\n"
        "*Null-Text Inversion* finds for every step an empty text under which guided sampling leads back to the "
        "structure; *Inversion Report* shows how nearly. In the middle of the way, *Latent Deviation* moves what the "
        "model takes the image for towards the appearance's pieces, each laid where it matches, inside the "
        "mask of the word. *matching* progressive matches anew at every step, as in the paper.\n\n"
        f"The paper uses cfg 7.5, and 0.3 as the threshold of *Word Attention Map*; the pocket wants "
        f"{POCKET_GUIDANCE}, in both nodes, and 0.7. "
        "A later *end_percent* is stronger.\n\n"
        f"{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)
