"""Null-text inversion brings pocket images back under guidance; the whole table: `python dev.py bench null_text`.

Few scenes and steps, so the margin is half of what is aimed for.
"""

import pytest
from appearance_transfer.benchmarks.null_text import GUIDED, NULL_TEXT, Results, held_out_scenes, measured


@pytest.fixture(scope="module")
def values(host) -> Results:
    return measured(held_out_scenes(2), steps=10)


def test_every_image_comes_back_nearer(values: Results) -> None:
    assert min(values[NULL_TEXT]["psnr_gained"]) > 3


def test_the_scale_of_the_measure(values: Results) -> None:
    """Guidance loses the image, and null text does not: between them lies what can be told apart by eye."""
    assert max(values[GUIDED]["psnr"]) < 25
    assert min(values[NULL_TEXT]["psnr"]) > 25
