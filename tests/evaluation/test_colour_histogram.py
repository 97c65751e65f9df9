"""RGB-uv histograms against loops over pixels, and distances of colours whose order is known."""

import math

import numpy as np
import pytest
import torch
from appearance_transfer.evaluation import colour_histogram
from appearance_transfer.evaluation.colour_histogram import (
    BINS,
    hellinger_distance,
    histogram_picture,
    rgb_uv_histogram,
)
from scipy.spatial.distance import euclidean


def picture(seed: int, height: int = 6, width: int = 5) -> torch.Tensor:
    return torch.rand(3, height, width, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def plain(*colour: float) -> torch.Tensor:
    return torch.tensor(colour, dtype=torch.float64)[:, None, None].expand(3, 8, 8)


def by_hand(pixels: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The definition, pixel by pixel. pixels: [N, 3]."""
    bins, found = np.linspace(-3, 3, 64), np.zeros((3, 64, 64))
    for colour, weight in zip(pixels, weights, strict=True):
        brightness = math.sqrt((colour**2).sum() + 1e-6)
        for channel in range(3):
            u, v = (
                math.log(colour[channel] + 1e-6) - math.log(colour[other] + 1e-6)
                for other in range(3)
                if other != channel
            )
            near = [1 / (1 + ((value - bins) / 0.02) ** 2) for value in (u, v)]
            found[channel] += weight * brightness * np.outer(*near)
    return found / found.sum()


def test_it_is_the_definition(monkeypatch) -> None:
    monkeypatch.setattr(colour_histogram, "AT_A_TIME", 7)
    given, mask = picture(0), picture(1)[0]
    wanted = by_hand(given.flatten(1).T.numpy(), mask.flatten().numpy())
    np.testing.assert_allclose(rgb_uv_histogram(given, mask).numpy(), wanted, atol=1e-12)


def test_the_distance_is_hellingers() -> None:
    one, other = rgb_uv_histogram(picture(0)), rgb_uv_histogram(picture(1))
    wanted = euclidean(one.sqrt().flatten(), other.sqrt().flatten()) / math.sqrt(2)
    assert float(hellinger_distance(one, other)) == pytest.approx(wanted, abs=1e-12)
    assert hellinger_distance(one, one) == 0
    assert hellinger_distance(one, other) == hellinger_distance(other, one)


def test_what_is_where_does_not_matter_and_light_hardly() -> None:
    given = picture(2)
    assert hellinger_distance(rgb_uv_histogram(given.flip(-1)), rgb_uv_histogram(given)) < 1e-6
    assert hellinger_distance(rgb_uv_histogram(plain(0.2, 0.1, 0.1)), rgb_uv_histogram(plain(0.8, 0.4, 0.4))) < 0.01


def test_further_colours_are_further_apart() -> None:
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
    with pytest.raises(ValueError, match="no colours to count"):
        rgb_uv_histogram(half, 0 * mask)


def test_its_picture() -> None:
    drawn = histogram_picture(rgb_uv_histogram(picture(0)))
    assert drawn.shape == (BINS, BINS, 3)
    assert drawn.max() == 1
    assert drawn.min() >= 0
