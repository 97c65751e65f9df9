"""A transfer and what the measures say of it: those that need no weights, and those by CLIP, LPIPS and VGG."""

from ..client import Graph
from ..demo import APPEARANCE_SEED, STRUCTURE_SEED
from ..transfer_graph import OURS, Link, Transfer, simple_graph
from ..ui_layout import Group
from .cross_image import IMAGES, ROLES
from .parts import POCKET_NOTE, inverting, node, pocket_image
from .workflow_template import CLIP, CLIP_SOURCE, WorkflowTemplate

OUTPUT: Link = ["decode", 0]
NO_LPIPS = "(no weights in models/lpips)"  # what the node offers where the folder is empty
TRANSFERRED = (
    IMAGES,
    Group("2. Prepare both", inverting(ROLES)),
    Group("3. Objects", [["mask_structure"], ["mask_appearance"]]),
    Group("4. Transfer", [["attention", "adain"], ["sample"], ["decode", "save"]]),
)
CAPTIONS = "structure\nappearance\noutput | colors | mask IoU\nstructure from its inversion | PSNR dB | SSIM"


def measure_a_transfer() -> WorkflowTemplate:
    graph = _transferred()
    _find_the_object_again(graph)
    _measure(graph)
    groups = [
        *TRANSFERRED,
        Group("5. Where is the object now?", [["invert_output"], ["mask_output"]]),
        Group("6. Measure", [["report", "reconstruction"], ["colors", "overlap"]]),
        Group("7. Compare", [["compare"]]),
    ]
    note = (
        "# How good is a transfer?\n"
        "*Mask IoU* says whether the shape was kept: the output is inverted and segmented like the structure image. "
        "It measures the segmenter, too: here the legs of the output are missed (blue on the node), so take a real one "
        "for real images. "
        "*Color Histogram Distance* says whether the colors came, inside the masks. *Reconstruction PSNR/SSIM* "
        "judges the inversion: what it cannot give back, no transfer can keep. *Comparison Grid* puts it all on one "
        "sheet and the numbers into a .csv beside it, in `ComfyUI/output`; the captions say which number belongs to "
        f"which image. Template 33 has the measures that need weights.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def measure_with_weights() -> WorkflowTemplate:
    graph = _transferred()
    _measure_with_weights(graph)
    groups = [
        *TRANSFERRED,
        Group("5. With LPIPS and VGG in models/lpips", [["network", "gram"], ["background"]]),
        Group("6. With both halves of a CLIP", [["clip_vision", "clip", "likeness"], ["agreement", "accuracy"]]),
    ]
    note = (
        "# Measures that need weights\n"
        "*Gram Distance* compares textures by VGG, *Background LPIPS* says how much changed outside of the object. "
        "*CLIP Image Similarity* compares the looks of output and appearance, *CLIP Text Similarity* the output with "
        "a sentence, and *CLIP-Acc* says which of two sentences it is nearer to.\n\n"
        "*Load Perceptual Network* takes the state of *lpips.LPIPS(net='vgg')*, saved as .safetensors (its help says "
        "how), in `ComfyUI/models/lpips`.\n\n"
        f"The CLIP is [{CLIP}]({CLIP_SOURCE}), which holds both halves, in `ComfyUI/models/clip_vision` and in "
        f"`ComfyUI/models/text_encoders`.\n\n{POCKET_NOTE}"
    )
    return WorkflowTemplate(graph, groups, note)


def _transferred() -> Graph:
    """A transfer inside the masks of both objects."""
    graph = simple_graph(Transfer(pocket_image(STRUCTURE_SEED), pocket_image(APPEARANCE_SEED)))
    for role in ROLES:
        graph[f"mask_{role}"] = node(
            OURS + "SelfSegmentation", model=["checkpoint", 0], inversion=[f"invert_{role}", 0], clip=["checkpoint", 1]
        )
    graph["adain"] = node(
        OURS + "AdaIN", appearance=["invert_appearance", 0], mask=["mask_structure", 0],
        appearance_mask=["mask_appearance", 0],
    )  # fmt: skip
    graph["sample"]["inputs"]["between_steps"] = ["adain", 0]
    return graph


def _find_the_object_again(graph: Graph) -> None:
    """Invert and segment the output like the structure, whose text it goes by."""
    like = {name: dict(graph[f"{name}_structure"]["inputs"]) for name in ("invert", "mask")}
    graph["invert_output"] = node(OURS + "InvertImage", **like["invert"] | {"image": OUTPUT})
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
        OURS + "CLIPImageSimilarity", **classifier, appearance=["appearance", 0], output_mask=["mask_structure", 0],
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
