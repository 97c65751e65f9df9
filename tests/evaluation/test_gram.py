"""Gram distances against sums by hand, and on textures whose order is known."""

import numpy as np
import pytest
import torch
from appearance_transfer.evaluation.backbone import load_backbone
from appearance_transfer.evaluation.gram import gram_distance, gram_matrix
from appearance_transfer.tests.evaluation.perceptual_weights import random_weights


@pytest.fixture(scope="module")
def backbone():
    return load_backbone(random_weights("alexnet")).double()


def stripes(period: int, size: int = 64, shift: int = 0) -> torch.Tensor:
    row = ((torch.arange(size) + shift) % period < period // 2).double()
    return row.expand(1, 3, size, size)


def test_the_matrix_is_the_sum_over_positions() -> None:
    features = torch.rand(2, 5, 4, 3, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    expected = np.einsum("bihw,bjhw->bij", features.numpy(), features.numpy()) / (5 * 4 * 3)
    np.testing.assert_allclose(gram_matrix(features).numpy(), expected, atol=1e-12)


def test_it_is_the_mean_of_frobenius_norms(backbone) -> None:
    one, other = torch.rand(2, 1, 3, 48, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    with torch.no_grad():
        layers = [[block[0][0].numpy() for block in backbone(image * 2 - 1)] for image in (one, other)]
    norms = []
    for a, b in zip(*layers, strict=True):
        a, b = (x.reshape(len(x), -1) @ x.reshape(len(x), -1).T / x.size for x in (a, b))
        norms.append(np.sqrt(((a - b) ** 2).sum()))
    assert float(gram_distance(backbone, one, other)) == pytest.approx(sum(norms) / 5, abs=1e-9)


def test_identity_symmetry_and_order(backbone) -> None:
    coarse, fine = stripes(32), stripes(8)
    assert gram_distance(backbone, coarse, coarse).item() == 0
    assert gram_distance(backbone, coarse, fine).item() == pytest.approx(gram_distance(backbone, fine, coarse).item())
    noise = torch.rand(1, 3, 64, 64, dtype=torch.float64, generator=torch.Generator().manual_seed(2))
    growing = [gram_distance(backbone, coarse.lerp(noise, amount), coarse).item() for amount in (0.1, 0.2, 0.4, 0.8)]
    assert growing == sorted(growing)


def test_where_a_texture_is_does_not_matter_and_how_large_the_image_is_hardly(backbone) -> None:
    fine = stripes(8, size=160)
    same = gram_distance(backbone, stripes(8, size=160, shift=4), fine).item()
    larger = gram_distance(backbone, stripes(8, size=224), fine).item()  # but for what the borders see
    other = gram_distance(backbone, stripes(32, size=160), fine).item()
    assert same < 0.2 * other
    assert larger < 0.5 * other
