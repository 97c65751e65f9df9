"""Scales of rotary pairs, and statistics of queries and keys. fp32, torch 2.11."""

import pytest
import torch
from appearance_transfer.attention.rotation import moved_along_axis
from appearance_transfer.attention.untwisted import Untwisting, statistics, with_statistics

AXES = (8, 12, 12)


@pytest.mark.parametrize(("progress", "fast", "slow"), [(0.0, 0.25, 1.0), (0.5, 0.5, 1.2), (1.0, 0.75, 1.4)])
def test_the_scales_are_the_papers(progress, fast, slow) -> None:
    """beta 2; fast pairs from 0.25 to 0.75, slow ones from 1 to 1.4; the axis of the text is slow throughout."""
    scales = Untwisting().scales(AXES, progress, 1.0)
    assert scales.shape == (32,)
    torch.testing.assert_close(scales[:8], torch.full((8,), slow))
    pairs = scales[8:20:2]
    torch.testing.assert_close(pairs, fast + (slow - fast) * (torch.arange(6) / 5) ** 2)
    assert torch.equal(scales[8:20:2], scales[9:20:2])
    assert torch.equal(scales[8:20], scales[20:])


def test_an_amount_of_0_scales_nothing() -> None:
    assert torch.equal(Untwisting().scales(AXES, 0.3, 0.0), torch.ones(32))


def test_a_scale_per_pair_commutes_with_the_rotation() -> None:
    keys = torch.randn(1, 2, 5, 32, generator=torch.Generator().manual_seed(0))
    scales = Untwisting(flat_axes=()).scales(AXES, 0.0, 1.0)
    before, after = moved_along_axis(keys * scales, 7, 8, 10000.0), moved_along_axis(keys, 7, 8, 10000.0) * scales
    torch.testing.assert_close(before, after, atol=1e-6, rtol=0)


def test_tokens_take_the_statistics_of_others() -> None:
    generator = torch.Generator().manual_seed(0)
    tokens, others = (scale * torch.randn(2, 3, 50, 8, generator=generator) + scale for scale in (1, 3))
    found = with_statistics(tokens, *statistics(others), 1.0)
    for one, other in zip(statistics(found), statistics(others), strict=True):
        torch.testing.assert_close(one, other, atol=1e-4, rtol=1e-4)
    torch.testing.assert_close(with_statistics(tokens, *statistics(tokens), 0.7), tokens, atol=1e-5, rtol=0)
    assert torch.equal(with_statistics(tokens, *statistics(others), 0.0), tokens)
