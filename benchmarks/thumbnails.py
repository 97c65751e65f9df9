"""The thumbnails of the workflows, made by running them as they are committed, with all their steps.

`python dev.py bench thumbnails` writes the image beside each file in workflows/: what goes in, and what comes out. The
workflows for a user's own checkpoint are run on the pocket checkpoint and pocket scenes; those with a ViT on the
photographs and the ViT of benchmarks/splice.py, and the training is not repeated: the generator that `bench splice` has
trained is applied. The distilled editor learns the pairs of one run of the collecting workflow, for 300 steps only.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

import numpy as np
from PIL import Image
from torch import Tensor

from ..developer.cli_output import echo, step
from ..developer.client import Graph
from ..developer.gallery import file_name, gallery
from ..developer.gallery.stand_in import on_the_pocket
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.paths import ROOT
from ..developer.server import temporary_home
from .real_weights.dino import weights
from .splice import FACES, SIDE, photographs, trained

PIXELS = 256  # of a panel
QUALITY = 84  # of the JPEG: all of them are in the registry's archive
ON_TRANSFORMERS = ("27_flux1_krea", "28_flux2_klein", "29_z_image", "30_qwen_image")  # of a user; run on the pocket one
PANELS = {  # the nodes whose first output is shown; what comes out is the last
    "01_cross_image_attention_pocket": ("structure", "appearance", "decode"),
    "02_cross_image_attention": ("structure", "appearance", "decode"),
    "03_two_appearances_with_masks": ("structure", "appearance", "background", "decode"),
    "04_save_and_load_inversion": ("structure", "report", "decode"),
    "05_dift_matching": ("draw", "warp"),
    "06_eye_for_an_eye": ("structure", "appearance", "decode"),
    "07_eye_for_an_eye_two_objects": ("structure", "appearance", "decode"),
    "08_corrected_match": ("structure", "appearance", "decode_found", "decode"),
    "09_fine_grained_transfer": ("structure", "appearance", "decode"),
    "10_splice": ("structure", "appearance", "apply"),
    "11_splice_apply": ("structure", "apply"),
    "12_vit_feature_inversion": ("structure", "invert_keys", "invert_CLS"),
    "13_key_self_similarity": ("similarity_structure", "similarity_appearance", "draw"),
    "14_pix2pix_zero_real": ("structure", "decode"),
    "15_pix2pix_zero_synthetic": ("decode_plain", "decode"),
    "16_collect_pairs": ("decode_plain", "decode"),
    "17_train_distilled_editor": (("train", 1),),
    "18_measure_a_transfer": (("compare", 0),),
    "19_transfer_grid": ("draw",),
    "20_mirror_to_match": ("draw", "draw_turned"),
    "21_whole_transfer": ("structure", "appearance", "decode"),
    "22_stock_ksampler": ("structure", "appearance", "decode"),
    "23_wide_appearance": ("structure", "appearance", "decode"),
    "24_many_structures": ("structure", "appearance", "decode"),
    "25_few_steps": ("structure", "appearance", "decode"),
    "26_transformer": ("structure", "appearance", "decode"),
    **{name: ("structure", "appearance", "decode") for name in ON_TRANSFORMERS},
    "31_find_object_and_match": ("draw", "warp"),
    "32_sdxl": ("structure", "appearance", "decode"),
    "33_measure_with_weights": ("structure", "appearance", "decode"),
    "34_flow_edit": ("structure", "appearance", "decode"),
    "35_transformer_deviation": ("structure", "appearance", "decode"),
    "36_own_images": ("structure", "appearance", "decode", "decode_plain", "decode_parts"),
}
LEARNING = "17_train_distilled_editor"
SHORTENED = {"train": {"steps": 300, "batch": 4}}  # ten thousand steps are for a GPU
PHOTOGRAPHED = ("10_splice", "11_splice_apply", "12_vit_feature_inversion", "13_key_self_similarity")


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Run the workflows named in `arguments`, or all, and write their thumbnails."""
    with temporary_home() as home:
        if set(PHOTOGRAPHED) & set(arguments or PANELS):
            lay_ready(home)
        host = Host(installation.host, home)
        for name in arguments or PANELS:
            with step(f"Running {name}"):
                images = run(host, name)
            path = ROOT / "workflows" / f"{file_name(name)}.jpg"
            thumbnail(images).save(path, quality=QUALITY)
            echo(f"Wrote {path.relative_to(ROOT).as_posix()}.")
    return 0


def lay_ready(home: Path) -> None:
    """Photographs as they were trained on, ViT and trained generator where ComfyUI looks for them."""
    for folder in ("input", "models/dino", "output/splice"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    case = photographs(FACES, SIDE)
    for role in ("structure", "appearance"):
        as_image(getattr(case, role)[0].movedim(0, -1)).save(home / "input" / f"{role}.png")
    shutil.copy(weights(), home / "models" / "dino")
    shutil.copy(trained(FACES), home / "output" / "splice" / "splice_00001.safetensors")


def on_photographs(name: str, graph: Graph) -> Graph:
    """The graph with the ViT that is at hand; where it trains a generator, with the one that has been trained."""
    if name == "10_splice":
        return gallery()["11_splice_apply"].graph | {"appearance": graph["appearance"]}
    swapped = dict(graph)
    if "vit" in graph:
        swapped["vit"] = {**graph["vit"], "inputs": graph["vit"]["inputs"] | {"name": weights().name}}
    return swapped


def run(host: Host, name: str) -> list[Tensor]:
    """The images [H, W, 3] of a workflow's panels."""
    template, graph = gallery()[name], runnable(name)
    muted = {node for group in template.groups if group.muted for column in group.columns for node in column}
    awake = {node: about for node, about in graph.items() if node not in muted}
    if any(panel in muted for panel in PANELS[name]):
        host.run(awake)  # what the muted nodes load must have been saved
    if name == LEARNING:
        host.run(gallery()["16_collect_pairs"].graph)
        graph = {node: about | {"inputs": about["inputs"] | SHORTENED.get(node, {})} for node, about in graph.items()}
    return taken(host, graph, [panel if isinstance(panel, tuple) else (panel, 0) for panel in PANELS[name]])


def runnable(name: str) -> Graph:
    """The graph of a workflow with models and images that are at hand."""
    graph = gallery()[name].graph
    return on_photographs(name, graph) if name in PHOTOGRAPHED else on_the_pocket(graph)


def taken(host: Host, graph: Graph, sockets: Sequence[tuple[str, int]]) -> list[Tensor]:
    """The first image [H, W, 3], or mask [H, W], that flows out of each socket (node, output); no more is run."""
    result = host.run(upstream(graph, sockets), **{f"panel{i}": socket for i, socket in enumerate(sockets)})
    return [getattr(result, f"panel{i}")[0] for i in range(len(sockets))]


def upstream(graph: Graph, sockets: Sequence[tuple[str, int]]) -> Graph:
    """The nodes that the sockets depend on."""
    needed: set[str] = set()
    asked = [node for node, _ in sockets]
    while asked:
        node = asked.pop()
        if node not in needed:
            needed.add(node)
            asked += [value[0] for value in graph[node]["inputs"].values() if isinstance(value, list)]
    return {node: graph[node] for node in graph if node in needed}


def thumbnail(images: Sequence[Tensor]) -> Image.Image:
    """Images [H, W, 3] in 0..1 as one. Of three the last is large, with the others above each other beside it; four
    make a square; others stand side by side.
    """
    panels = list(map(as_image, images))
    if len(panels) == 3:
        return side_by_side([below(panels[:2]), panels[2]], 2 * PIXELS)
    if len(panels) == 4:
        return below([side_by_side(panels[:2], PIXELS), side_by_side(panels[2:], PIXELS)])
    return side_by_side(panels, PIXELS)


def side_by_side(panels: Sequence[Image.Image], height: int) -> Image.Image:
    """Images side by side at one height, small ones pixel by pixel."""
    resized = []
    for panel in panels:
        by = Image.Resampling.NEAREST if panel.height <= height else Image.Resampling.LANCZOS
        resized.append(panel.resize((panel.width * height // panel.height, height), by))
    sheet = Image.new("RGB", (sum(panel.width for panel in resized), height))
    left = 0
    for panel in resized:
        sheet.paste(panel, (left, 0))
        left += panel.width
    return sheet


def below(panels: Sequence[Image.Image]) -> Image.Image:
    """Images above each other, at the width of the first."""
    width = panels[0].width
    resized = [panel.resize((width, panel.height * width // panel.width)) for panel in panels]
    sheet = Image.new("RGB", (width, sum(panel.height for panel in resized)))
    top = 0
    for panel in resized:
        sheet.paste(panel, (0, top))
        top += panel.height
    return sheet


def as_image(image: Tensor) -> Image.Image:
    """[H, W, 3] in 0..1."""
    return Image.fromarray((image.cpu().numpy() * 255).round().clip(0, 255).astype(np.uint8))
