"""The measures of a transfer on pocket pairs, image by image."""

from __future__ import annotations

import torch
from torch import Tensor

from ...evaluation.background import background_change
from ...evaluation.overlap import intersection_over_union
from ...evaluation.part_colors import relative_part_color_error
from ...evaluation.silhouettes import silhouette
from ...pocket.segmenter import WEIGHTS, segment_parts
from .pairs import RenderedPairs


def measure(output: Tensor, truth: RenderedPairs) -> dict[str, list[float]]:
    """Values by measure, one per pair, for the outputs [B, H, W, 3].

    part_color_error: 0 is the appearance's colors on every part, 1 is the unchanged structure image.
    silhouette_iou: of the structure's true silhouette and the output's, as the trained judge (pocket/segmenter.py) sees
        it, where its weights are there; silhouette_iou_by_color: as the rule of evaluation/silhouettes.py does.
    background_change: mean absolute difference to the structure image outside of the true silhouette.
    """
    ours, expected = truth.structure, truth.appearance
    shape = ours.mask > 0.5
    errors = [
        relative_part_color_error(output[i], ours.image[i], ours.parts[i], expected.image[i], expected.parts[i])
        for i in range(len(output))
    ]
    values = {"part_color_error": torch.stack(errors)}
    if WEIGHTS.exists():
        values["silhouette_iou"] = intersection_over_union(segment_parts(output) > 0, shape)
    values["silhouette_iou_by_color"] = intersection_over_union(silhouette(output), shape)
    values["background_change"] = background_change(output, ours.image, shape)
    return {name: value.tolist() for name, value in values.items()}
