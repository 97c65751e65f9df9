"""The judge of generated images agrees with the truth where the truth is known."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.pocket.segmenter import WEIGHTS, segment_parts, segmenter_metadata

UNSEEN = range(500, 524)


def agreement(size: int) -> tuple[float, float]:
    """Pixel accuracy and mean silhouette IoU on scenes the judge was not trained on."""
    rendering = render([random_scene(seed) for seed in UNSEEN], size)
    found = segment_parts(rendering.image)
    assert found.shape == rendering.parts.shape and found.dtype == torch.int64
    animal, expected = found > 0, rendering.parts > 0
    iou = (animal & expected).sum((1, 2)) / (animal | expected).sum((1, 2))
    return float((found == rendering.parts).float().mean()), float(iou.mean())


@pytest.mark.parametrize("size", [128, 96])
def test_it_knows_unseen_scenes(size):
    accuracy, iou = agreement(size)
    assert accuracy > 0.93
    assert iou > 0.93


def test_its_header_states_what_it_reaches():
    metadata = segmenter_metadata()
    assert metadata["silhouette_iou_rendered"] >= metadata["silhouette_iou_decoded"] - 0.01
    assert abs(agreement(128)[1] - metadata["silhouette_iou_rendered"]) < 0.03
    assert WEIGHTS.stat().st_size <= 2**20


def test_images_of_another_shape_are_refused():
    with pytest.raises(ValueError, match=r"\[B, H, W, 3\]"):
        segment_parts(torch.zeros(1, 3, 128, 128))
