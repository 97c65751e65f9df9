"""Features of real networks find keypoints on photographs, as far as is known of them."""

import pytest
import torch
from appearance_transfer.benchmarks.photographs.matching import measured, sources
from appearance_transfer.benchmarks.photographs.willow import classes


@pytest.fixture(scope="module")
def fractions(networks, keypoints) -> dict[str, float]:
    """PCK@0.1 by source, on four photographs of each class."""
    few = {name: photographs[:4] for name, photographs in classes().items()}
    known = dict(sources(networks.vit, networks.lpips.backbone))
    expected = ("DINOv2, tokens of block 9", "raw pixels, 3 x 3", "the same position", "chance")
    torch.manual_seed(0)
    with torch.inference_mode():
        return {name: sum(one := measured(few, known[name])["PCK@0.1"]) / len(one) for name in expected}


def test_keypoints_lie_in_their_photographs(keypoints) -> None:
    for photographs in classes().values():
        for one in photographs:
            height, width = one.image.shape[-2:]
            assert len(one.points) == 10
            assert all(0 <= x < width and 0 <= y < height for x, y in one.points)


def test_a_network_finds_more_than_colors_or_position(fractions) -> None:
    assert fractions["DINOv2, tokens of block 9"] > 1.3 * fractions["the same position"]
    assert fractions["the same position"] > fractions["raw pixels, 3 x 3"] > fractions["chance"]


def test_a_photograph_matches_itself(networks, keypoints) -> None:
    one = classes()["car"][0]
    source = dict(sources(networks.vit, networks.lpips.backbone))["DINOv2, tokens of block 9"]
    assert set(measured({"car": [one, one]}, source)["PCK@0.05"]) == {1.0}
