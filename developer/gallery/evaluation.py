"""A transfer and what every measure says of it."""

from ..client import Graph
from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, Link, Transfer, transfer_graph
from ..ui_layout import Group
from .parts import MASK_IMAGES, POCKET_NOTE, inverting, node, pocket_image, sampling_groups, without
from .workflow_template import CLIP, CLIP_SOURCE, WorkflowTemplate

OUTPUT: Link = ["decode", 0]
NO_LPIPS = "(no weights in models/lpips)"  # what the node offers where the folder is empty
CAPTIONS = "structure\nappearance\noutput | colors | mask IoU\nstructure from its inversion | PSNR dB | SSIM"


def measure_a_transfer() -> WorkflowTemplate:
    transfer = Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED))
    graph = without(transfer_graph(transfer), "show_{}", *MASK_IMAGES)
    del graph["matches"]
    _find_the_object_again(graph)
    _measure(graph)
    _measure_with_weights(graph)
    groups = [
        Group("1. Checkpoint and images", [["checkpoint", "structure", "appearance"]]),
        Group("2. Invert both", inverting(("structure", "appearance"))),
        Group("3. Objects", [["mask_structure", "mask_appearance"]]),
        *sampling_groups(4),
        Group("6. Where is the object now?", [["invert_output"], ["mask_output"]]),
        Group("7. Measure", [["report"], ["colors", "overlap"], ["reconstruction"]]),
        Group("8. Compare", [["compare"]]),
        Group("With LPIPS and VGG in models/lpips (muted)", [["network", "gram"], ["background"]], muted=True),
        Group(
            "With both halves of a CLIP (muted)",
            [["clip_vision", "clip"], ["likeness", "agreement", "accuracy"]],
            muted=True,
        ),
    ]
    note = (
        "# How good is a transfer?\n"
        "*Mask IoU* says whether the shape was kept: the output is inverted and segmented like the structure image. "
        "It measures the segmenter, too: here the legs of the output are missed (blue on the node), so take a real one "
        "for real images. "
        "*Color Histogram Distance* says whether the colors came, inside the masks. *Reconstruction PSNR/SSIM* "
        "judges the inversion: what it cannot give back, no transfer can keep. *Comparison Grid* puts it all on one "
        "sheet and the numbers into a .csv beside it, in `ComfyUI/output`; the captions say which number belongs to "
        "which image.\n\n"
        "The muted groups need weights; wake them up with Ctrl+M. The first needs the state of "
        "*lpips.LPIPS(net='vgg')*, saved as .safetensors (the help of *Load Perceptual Network* says how), in "
        f"`ComfyUI/models/lpips`; the second [{CLIP}]({CLIP_SOURCE}), which holds both halves, in "
        f"`ComfyUI/models/clip_vision` and in `ComfyUI/models/text_encoders`.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _find_the_object_again(graph: Graph) -> None:
    """Invert and segment the output like the structure, whose text it goes by."""
    like = {name: dict(graph[f"{name}_structure"]["inputs"]) for name in ("invert", "mask")}
    del like["invert"]["latent"]
    graph["invert_output"] = node(OURS + "InvertImage", **like["invert"], image=OUTPUT, vae=["checkpoint", 2])
    graph["mask_output"] = node(OURS + "SelfSegmentation", **like["mask"] | {"inversion": ["invert_output", 0]})


def _measure(graph: Graph) -> None:
    """With what needs no weights."""
    graph["report"] = node(
        OURS + "InversionReport", model=["checkpoint", 0], vae=["checkpoint", 2], inversion=["invert_structure", 0]
    )
    graph["colors"] = node(
        OURS + "ColorHistogramDistance", output=OUTPUT, appearance=["appearance", 0], output_mask=["mask_output", 0],
        appearance_mask=["mask_appearance", 0],
    )  # fmt: skip
    graph["overlap"] = node(OURS + "MaskIoU", output=["mask_output", 0], structure=["mask_structure", 0])
    graph["reconstruction"] = node(OURS + "ReconstructionQuality", output=["report", 0], original=["structure", 0])
    panels = (["structure", 0], ["appearance", 0], OUTPUT, ["report", 0])
    found = (["colors", 0], ["overlap", 0], ["reconstruction", 0], ["reconstruction", 1])
    graph["compare"] = node(
        OURS + "ComparisonGrid", captions=CAPTIONS,
        **{f"images.image{index}": link for index, link in enumerate(panels)},
        **{f"numbers.number{index}": link for index, link in enumerate(found)},
    )  # fmt: skip


def _measure_with_weights(graph: Graph) -> None:
    graph["network"] = node(OURS + "LoadPerceptualNetwork", name=NO_LPIPS)
    graph["gram"] = node(OURS + "GramDistance", network=["network", 0], output=OUTPUT, appearance=["appearance", 0])
    graph["background"] = node(
        OURS + "BackgroundLPIPS", network=["network", 0], output=OUTPUT, structure=["structure", 0],
        mask=["mask_structure", 0],
    )  # fmt: skip
    graph["clip_vision"] = node("CLIPVisionLoader", clip_name=CLIP)
    graph["clip"] = node("CLIPLoader", clip_name=CLIP, type="stable_diffusion", device="default")
    classifier = {"clip_vision": ["clip_vision", 0], "output": OUTPUT}
    graph["likeness"] = node(
        OURS + "CLIPImageSimilarity", **classifier, appearance=["appearance", 0], output_mask=["mask_output", 0],
        appearance_mask=["mask_appearance", 0],
    )  # fmt: skip
    graph["agreement"] = node(
        OURS + "CLIPTextSimilarity", **classifier, clip=["clip", 0], text="a photo of a spotted cow"
    )
    graph["accuracy"] = node(
        OURS + "CLIPAcc",
        **classifier,
        clip=["clip", 0],
        source_text="a photo of a horse",
        target_text="a photo of a cow",
    )
