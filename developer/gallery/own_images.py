"""What a transfer makes of two images of one's own: what is found, how well the structure comes back, and three ways to
transfer, on one sheet.
"""

from collections.abc import Mapping

from ..client import Graph
from ..transfer_graph import OURS, GraphImage, Link, Transfer, simple_graph
from ..ui_layout import Group
from .cross_image import IMAGES, TITLES
from .parts import node
from .workflow_template import SD15, SD15_SOURCE, WorkflowTemplate

PREPARED: Mapping[str, Link] = {role: [f"invert_{role}", 0] for role in ("structure", "appearance")}
CAPTIONS = (
    "structure\nappearance\nwhat paints what\nstructure from its inversion | PSNR dB | SSIM\n"
    "with matches (default)\nwithout matches\npart by part"
)
WAYS = ("", "_plain", "_parts")
"""How the nodes of the three transfers end in their names."""


def compare_on_own_images() -> WorkflowTemplate:
    graph = simple_graph(
        Transfer(
            GraphImage("horse", file="structure.png"),
            GraphImage("zebra", file="appearance.png"),
            size=512,
            checkpoint=SD15,
        )
    )
    del graph["save"]
    _look(graph)
    _transfer_in_other_ways(graph)
    _compare(graph)
    groups = [
        IMAGES,
        Group("2. Prepare both", [["invert_structure", "invert_appearance"]]),
        Group("3. Look: matches and inversion", [["match", "warp"], ["report", "quality"]]),
        Group("4. With matches", [["attention", "sample", "decode"]]),
        Group("5. Without matches", [["attention_plain", "sample_plain", "decode_plain"]]),
        Group("6. Part by part", [["attention_parts", "sample_parts", "decode_parts"]]),
        Group("7. Compare", [["compare"]]),
    ]
    note = (
        "# What does it make of my images?\n"
        f"Choose your checkpoint, for example [{SD15}]({SD15_SOURCE}) in `ComfyUI/models/checkpoints`, choose two "
        "images, and write what each shows.\n"
        "*Match References* shows the objects that were found, *Warp by Matches* which part paints which, and "
        "*Inversion Report* the structure as it comes back: above 30 dB it is hard to tell apart. Then three "
        "transfers from the same inversion, and all of it on one sheet in `ComfyUI/output`.\n\n"
        "`python dev.py report` makes a page of more settings, for folders of images, with evaluations, seconds and "
        "memory."
    )
    titles = TITLES | {
        "attention": "Cross-Image Attention: with matches", "attention_plain": "Cross-Image Attention: without matches",
    }  # fmt: skip
    return WorkflowTemplate(graph, groups, note, titles)


def _look(graph: Graph) -> None:
    graph["match"] = node(OURS + "MatchReferences", model=["checkpoint", 0], **PREPARED)
    graph["warp"] = node(
        OURS + "WarpByMatches", values=["appearance", 0], matches=["match", 0], fallback=["structure", 0]
    )
    graph["report"] = node(
        OURS + "InversionReport", model=["checkpoint", 0], vae=["checkpoint", 2], inversion=PREPARED["structure"]
    )
    graph["quality"] = node(OURS + "ReconstructionQuality", output=["report", 0], original=["structure", 0])


def _transfer_in_other_ways(graph: Graph) -> None:
    """Beside the transfer at the defaults, from the same inversion."""
    inputs = graph["attention"]["inputs"]
    graph["attention_plain"] = node(OURS + "CrossImageAttention", **inputs, find=False)
    graph["attention_parts"] = node(OURS + "SemanticRearrangement", **inputs)
    for way in WAYS[1:]:
        graph[f"sample{way}"] = node(
            OURS + "SampleFromInversion", model=[f"attention{way}", 0], inversion=PREPARED["structure"]
        )
        graph[f"decode{way}"] = node("VAEDecode", samples=[f"sample{way}", 0], vae=["checkpoint", 2])


def _compare(graph: Graph) -> None:
    images: list[Link] = [["structure", 0], ["appearance", 0], ["warp", 0], ["report", 0]]
    images += [[f"decode{way}", 0] for way in WAYS]
    numbers: list[Link] = [["quality", 0], ["quality", 1]]
    graph["compare"] = node(
        OURS + "ComparisonGrid", captions=CAPTIONS,
        **{f"images.image{index}": link for index, link in enumerate(images)},
        **{f"numbers.number{index}": link for index, link in enumerate(numbers)},
    )  # fmt: skip
