"""A transfer without any inversion: FlowEdit on the pocket transformer."""

from ..transfer_graph import OURS
from ..ui_layout import Group
from .parts import COMPARE_NOTE, POCKET_NOTE, node
from .transformers import FOR_THE_TRANSFORMER, LOADERS, MATCHED_ON_A_UNET, on_the_pocket_transformer
from .workflow_template import WorkflowTemplate

STEPS, DENOISE = 8, 0.75
TITLES = {
    "invert_appearance": "Reference Image: appearance",
    "text": FOR_THE_TRANSFORMER,
}


def without_inversion() -> WorkflowTemplate:
    """The same as on the pocket transformer, but the structure image itself is edited."""
    graph = dict(on_the_pocket_transformer().graph)
    prompt = graph.pop("invert_structure")["inputs"]["text"]
    graph["attention"] = node(
        graph["attention"]["class_type"], **(graph["attention"]["inputs"] | {"start_percent": 0.0})
    )
    edited = {"model": ["attention", 0], "positive": ["text", 0], "negative": ["text", 0]}
    graph |= {
        "text": node("CLIPTextEncode", text=prompt, clip=["transformer", 1]),
        "encode": node("VAEEncode", pixels=["structure", 0], vae=["transformer", 2]),
        "scheduler": node(
            "BasicScheduler", model=["transformer", 0], scheduler="simple", steps=STEPS, denoise=DENOISE
        ),
        "flow_edit": node(OURS + "FlowEdit"),
        "sample": node(
            "SamplerCustom", add_noise=True, noise_seed=42, cfg=1.0, **edited, sampler=["flow_edit", 0],
            sigmas=["scheduler", 0], latent_image=["encode", 0],
        ),
    }  # fmt: skip
    groups = [
        *MATCHED_ON_A_UNET,
        Group("3. Prepare on the transformer", [["text", "encode"], ["invert_appearance"]]),
        Group(
            "4. Edit", [["options", "attention"], ["scheduler", "flow_edit", "sample"], ["decode", "save"], ["compare"]]
        ),
    ]
    note = (
        "# A transfer without inversion\n"
        "*FlowEdit Sampler* predicts the structure image twice at each step, once beside the appearance and once as it "
        "is, under the same text. What differs moves the image; nothing is inverted. *denoise* of *Basic Scheduler* is "
        "how far it may move, and *start_percent* is 0, so that every step reads the appearance.\n\n"
        f"{COMPARE_NOTE}{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note, LOADERS | TITLES)
