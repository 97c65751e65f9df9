"""The rows of the effect table that are made of others."""

import pytest
from appearance_transfer.benchmarks.effect import compared, gained


def test_what_mirroring_gains_is_taken_pair_by_pair() -> None:
    values = {
        "ours, true masks": {"part_color_error": [0.5, 0.9], "silhouette_iou": [0.8, 0.7], "other": [1.0, 1.0]},
        "ours, mirrored to match, true masks": {"part_color_error": [0.5, 0.6], "silhouette_iou": [0.9, 0.7]},
        "fine-grained, mirrored to match": {"part_color_error": [0.1], "silhouette_iou": [0.1]},
    }
    (name, gain), *others = gained(values).items()
    assert (name, others) == ("gained by mirroring: ours, true masks", [])
    assert gain["part_color_error"] == pytest.approx([0.0, 0.3])
    assert gain["silhouette_iou"] == pytest.approx([0.1, 0.0])


def test_other_methods_are_compared_with_ours_pair_by_pair() -> None:
    values = {
        "ours": {"part_color_error": [0.5, 0.9], "silhouette_iou": [0.8, 0.7]},
        "color transfer": {"part_color_error": [0.6, 0.6], "silhouette_iou": [0.9, 0.7]},
        "identity": {"part_color_error": [1.0, 1.0], "silhouette_iou": [1.0, 1.0]},
    }
    (name, gain), *others = compared(values).items()
    assert (name, others) == ("gained over ours by: color transfer", [])
    assert gain["part_color_error"] == pytest.approx([-0.1, 0.3])
    assert gain["silhouette_iou"] == pytest.approx([0.1, 0.0])
    assert compared({"color transfer": values["color transfer"]}) == {}
