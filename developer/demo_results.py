"""What a demo leaves behind besides the image: the sheet to look at, the time, the work and the effect in numbers."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
from PIL import Image

from .client import PromptResult
from .transfer_graph import Transfer

PANELS = ("structure", "appearance", "output", "matches", "structure_mask", "appearance_mask")
PANEL_PIXELS = 256


def panels(images: Mapping[str, Image.Image]) -> Image.Image:
    """What goes in, what comes out, what paints what: side by side, each with its name above."""
    from ..evaluation.comparison import comparison_sheet

    columns = {panel.replace("_", " "): [images[panel]] for panel in PANELS}
    return comparison_sheet(columns, (PANEL_PIXELS, PANEL_PIXELS))


def seconds(outcome: PromptResult) -> dict[str, float]:
    """Wall time of every node that ran, by its id in the graph, and of all together."""
    by_node = {node: round(value, 2) for node, value in outcome.seconds.items()}
    return {"all": round(sum(outcome.seconds.values()), 2), **by_node}


def evaluations(outcome: PromptResult) -> dict[str, Any]:
    """Samples that went through the U-Net, as benchmarks/evaluation_counter counted them: all, and by node."""
    by_node = json.loads(outcome.outputs["count"]["text"][0])
    return {"unet_evaluations": sum(by_node.values()), "unet_evaluations_by_node": by_node}


def effect(transfer: Transfer, output: Image.Image) -> dict[str, float | None]:
    """How near the parts' colors came, and how well the shape was kept. Only pocket scenes come with the truth."""
    if transfer.structure.file or transfer.appearance.file:
        return {"part_color_error": None, "silhouette_iou": None, "background_change": None}
    return {**measured(transfer.structure.seed, transfer.appearance.seed, output)}


def measured(structure_seed: int, appearance_seed: int, output: Image.Image) -> dict[str, float]:
    """The effect of a transfer between two pocket scenes, and how much of the background has changed."""
    import torch

    from ..evaluation.background import background_change
    from ..evaluation.overlap import intersection_over_union
    from ..evaluation.part_colors import relative_part_color_error
    from ..evaluation.silhouettes import silhouette
    from ..pocket.render import render
    from ..pocket.scene import random_scene
    from ..pocket.segmenter import WEIGHTS, segment_parts

    truth = render([random_scene(seed) for seed in (structure_seed, appearance_seed)], output.width)
    pixels = torch.from_numpy(np.asarray(output, dtype=np.float32) / 255.0)
    error = relative_part_color_error(pixels, truth.image[0], truth.parts[0], truth.image[1], truth.parts[1])
    shape = segment_parts(pixels[None])[0] > 0 if WEIGHTS.exists() else silhouette(pixels)
    animal = truth.mask[:1] > 0.5
    values = {
        "part_color_error": error,
        "silhouette_iou": intersection_over_union(shape, animal[0]),
        "background_change": background_change(pixels[None], truth.image[:1], animal)[0],
    }
    return {name: round(float(value), 4) for name, value in values.items()}
