"""Matches as a bias of attention."""

import pytest
import torch
from appearance_transfer.attention.contrast import contrasted_attention
from appearance_transfer.attention.match_prior import AttentionBias, grid_centers, log_prior
from torch import Tensor

N, M = 12, 20
GRID = (4, 5)


@pytest.fixture
def tensors() -> tuple[Tensor, Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    return tuple(torch.randn(2, 3, size, 8, generator=generator) for size in (N, M, M))


def prior(confidence: float = 1.0, width: float = 0.1) -> AttentionBias:
    points = torch.rand(2, N, 2, generator=torch.Generator().manual_seed(1))
    return log_prior(points, torch.full((2, N), confidence), GRID, (64, 80), width)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("contrast", [1.0, 1.67])
class TestContrastedAttention:
    def test_no_confidence_is_no_prior(self, tensors, contrast, clip) -> None:
        plain = contrasted_attention(*tensors, contrast=contrast, clip=clip)
        faded = contrasted_attention(*tensors, contrast=contrast, clip=clip, bias=prior(confidence=0.0))
        torch.testing.assert_close(faded, plain, atol=1e-6, rtol=0)

    def test_it_is_the_closed_form(self, tensors, contrast, clip) -> None:
        q, k, v = tensors
        bias = prior(confidence=0.7)
        points = torch.rand(2, N, 2, generator=torch.Generator().manual_seed(1)) * torch.tensor([64 / 80, 1.0])
        keys = grid_centers(GRID, (64 / 80, 1.0))
        logits = q @ k.transpose(-1, -2) / 8**0.5 - 0.7 * torch.cdist(points, keys).square()[:, None] / (2 * 0.1**2)
        expected = logits.softmax(-1) * contrast - (contrast - 1) / M
        expected = torch.where(logits.softmax(-1) > 0, expected, 0.0)
        expected = (expected.clamp(0, 1) if clip else expected) @ v
        for chunk in (None, 5):
            found = contrasted_attention(q, k, v, contrast=contrast, clip=clip, bias=bias, query_chunk=chunk)
            torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)

    def test_masked_keys_are_as_if_they_were_not_there(self, tensors, contrast, clip) -> None:
        q, k, v = tensors
        mask = torch.ones(1, M)
        mask[:, 7:] = 0
        found = contrasted_attention(q, k, v, contrast=contrast, clip=clip, bias=AttentionBias(key_mask=mask))
        expected = contrasted_attention(q, k[:, :, :7], v[:, :, :7], contrast=contrast, clip=clip)
        torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_a_narrow_prior_is_a_gather(tensors) -> None:
    q, k, v = tensors
    which = torch.randint(M, (2, N), generator=torch.Generator().manual_seed(2))
    points = grid_centers(GRID)[which]
    bias = log_prior(points, torch.ones(2, N), GRID, (80, 80), 0.002)
    found = contrasted_attention(q, k, v, contrast=1.0, bias=bias)
    expected = torch.stack([v[i][:, which[i]] for i in range(2)])
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_the_bias_of_some_queries_is_some_of_the_bias(tensors) -> None:
    bias, some = prior(), torch.tensor([1, 4, 5])
    whole = bias.rows(slice(0, N), tensors[0])
    torch.testing.assert_close(bias.at(some).rows(slice(0, 3), tensors[0]), whole[:, :, some])


def test_width_is_a_share_of_the_longer_side() -> None:
    """Ten percent of the width of an image twice as wide as high: as far down as across."""
    points = torch.tensor([[[0.5, 0.5]]])
    bias = log_prior(points, torch.ones(1, 1), (4, 8), (32, 64), 0.1).rows(slice(0, 1), torch.zeros(1))[0, 0, 0]
    scores = bias.view(4, 8)
    torch.testing.assert_close(scores[1, 3], scores[2, 4])
    away = torch.tensor([1 / 16, 1 / 16]).square().sum()
    torch.testing.assert_close(scores[1, 3], -away / (2 * 0.1**2))
