"""Null-text inversion brings pocket images back under guidance; the whole table: `python dev.py bench null_text`.

Few scenes and steps, so the margin is half of what is aimed for.
"""

import pytest
from appearance_transfer.benchmarks.null_text import (
    FREE,
    GUIDED,
    NOISE_MAPS,
    NULL_TEXT,
    Results,
    held_out_scenes,
    measured,
)


@pytest.fixture(scope="module")
def values(host) -> Results:
    return measured(held_out_scenes(2), steps=10)


def test_every_image_comes_back_nearer(values: Results) -> None:
    assert min(values[NULL_TEXT]["psnr_gained"]) > 3


def test_the_scale_of_the_measure(values: Results) -> None:
    """Guidance loses the image, and null text does not: between them lies what can be told apart by eye."""
    assert max(values[GUIDED]["psnr"]) < 25
    assert min(values[NULL_TEXT]["psnr"]) > 25


def test_what_it_costs(values: Results) -> None:
    """10 steps: to invert, then with and without text at each, and the updates: at most 10 a step, or 3."""
    assert values[FREE]["evaluations"] == values[GUIDED]["evaluations"] == [10, 10]
    assert 40 <= values[NULL_TEXT]["evaluations"][0] <= 130
    assert values[f"{NULL_TEXT}, 3 updates"]["evaluations"][0] <= 60


def test_noise_maps_bring_the_image_back_without_null_text(values: Results) -> None:
    """Nearly: the last noise map is zero, as in the paper."""
    assert values[f"{NOISE_MAPS}, 4 steps"]["evaluations"] == [8, 8]
    assert min(values[f"{NOISE_MAPS}, 4 steps"]["psnr"]) > 40
