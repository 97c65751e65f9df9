"""RGB-uv histograms against loops over pixels, and distances of colors whose order is known."""

import math

import numpy as np
import pytest
import torch
from appearance_transfer.evaluation import color_histogram as color_histogram
from appearance_transfer.evaluation.color_histogram import (
    BINS,
    hellinger_distance,
    histogram_image,
    rgb_uv_histogram,
)
from scipy.spatial.distance import euclidean


def image(seed: int, height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(*color: float) -> torch.Tensor:
    return torch.tensor(color, dtype=torch.float64)[:, None, None].expand(3, 8, 8)


def by_hand(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The definition, pixel by pixel. pixels: [N, 3]."""
    bins, found = np.linspace(-3, 3, 64), np.zeros((3, 64, 64))
    for color, weight in zip(pixels, weights, strict=True):
        brightness = math.sqrt((color**2).sum() + 1e-6)
        for channel in range(3):
            u, v = (
                math.log(color[channel] + 1e-6) - math.log(color[other] + 1e-6)
                for other in range(3)
                if other != channel
            )
            near = [1 / (1 + ((value - bins) / 0.02) ** 2) for value in (u, v)]
            found[channel] += weight * brightness * np.outer(*near)
    return found / found.sum()


def test_it_is_the_definition(monkeypatch) -> None:
    monkeypatch.setattr(color_histogram, "AT_A_TIME", 7)
    sample, mask = image(0), image(1)[0]
    expected = by_hand(sample.flatten(1).T.numpy(), mask.flatten().numpy())
    np.testing.assert_allclose(rgb_uv_histogram(sample, mask).numpy(), expected, atol=1e-12)


def test_the_distance_is_hellingers() -> None:
    one, other = rgb_uv_histogram(image(0)), rgb_uv_histogram(image(1))
    expected = euclidean(one.sqrt().flatten(), other.sqrt().flatten()) / math.sqrt(2)
    assert float(hellinger_distance(one, other)) == pytest.approx(expected, abs=1e-12)
    assert hellinger_distance(one, one) == 0
    assert hellinger_distance(one, other) == hellinger_distance(other, one)


def test_what_is_where_does_not_matter_and_light_hardly() -> None:
    sample = image(2)
    assert hellinger_distance(rgb_uv_histogram(sample.flip(-1)), rgb_uv_histogram(sample)) < 1e-6
    assert hellinger_distance(rgb_uv_histogram(plain(0.2, 0.1, 0.1)), rgb_uv_histogram(plain(0.8, 0.4, 0.4))) < 0.01


def test_further_colors_are_further_apart() -> None:
    red = rgb_uv_histogram(plain(0.8, 0.2, 0.2))
    others = ((0.8, 0.22, 0.2), (0.8, 0.4, 0.2), (0.2, 0.8, 0.2))
    distances = [float(hellinger_distance(rgb_uv_histogram(plain(*other)), red)) for other in others]
    assert distances == sorted(distances)
    assert distances[-1] <= 1


def test_only_what_the_mask_shows_counts() -> None:
    half = torch.cat([plain(0.8, 0.2, 0.2), plain(0.2, 0.2, 0.8)], dim=2)
    mask = torch.zeros(8, 16)
    mask[:, :8] = 1
    torch.testing.assert_close(rgb_uv_histogram(half, mask), rgb_uv_histogram(plain(0.8, 0.2, 0.2)))
    with pytest.raises(ValueError, match="no colors to count"):
        rgb_uv_histogram(half, 0 * mask)


def test_its_image() -> None:
    drawn = histogram_image(rgb_uv_histogram(image(0)))
    assert drawn.shape == (BINS, BINS, 3)
    assert drawn.max() == 1
    assert drawn.min() >= 0
