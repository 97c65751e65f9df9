"""Where each query looks most, against the whole map."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention.match_map import attended_positions


@pytest.mark.parametrize("chunk", [None, 1, 5])
def test_it_is_the_largest_entry_of_the_mean_map(chunk):
    generator = torch.Generator().manual_seed(0)
    q = torch.randn(2, 3, 11, 4, generator=generator) * 3
    k = torch.randn(1, 3, 13, 4, generator=generator)
    mean = torch.softmax(q @ k.transpose(-1, -2) / 2, dim=-1).mean(dim=1)
    index, weight = attended_positions(q, k, chunk)
    assert torch.equal(index, mean.argmax(dim=-1))
    torch.testing.assert_close(weight, mean.amax(dim=-1))


def test_the_heads_vote_together():
    """Two heads that are fairly sure outvote one that is certain."""
    q = torch.ones(1, 3, 1, 1)
    k = torch.tensor([[[9.0], [0.0]], [[0.0], [3.0]], [[0.0], [3.0]]])[None]
    index, weight = attended_positions(q, k)
    assert index.tolist() == [[1]]
    assert weight.item() == pytest.approx((torch.sigmoid(torch.tensor([-9.0, 3.0, 3.0]))).mean().item(), rel=1e-5)


def test_an_image_attends_to_itself():
    k = torch.nn.functional.normalize(torch.randn(1, 2, 30, 16, generator=torch.Generator().manual_seed(1)), dim=-1)
    index, weight = attended_positions(k * 200, k)
    assert index.tolist() == [list(range(30))]
    assert weight.min() > 0.9
