"""Who paints which position: shares of several references, and the output's own part. fp32, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention import cross_image as module
from appearance_transfer.attention.contrast import contrasted_attention
from appearance_transfer.attention.cross_image import Reference, cross_image_attention, weight_maps
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention

N = 12


@pytest.fixture
def q():
    return torch.randn(2, 3, N, 8, generator=torch.Generator().manual_seed(0))


@pytest.fixture
def own(q):
    return scaled_dot_product_attention(q, *keys_and_values(9, batch=2))


def keys_and_values(seed, batch=1, keys=N):
    return torch.randn(2, batch, 3, keys, 8, generator=torch.Generator().manual_seed(seed)).unbind()


def reference(seed, weight, keys=N):
    return Reference(*keys_and_values(seed, keys=keys), weight)


def test_a_reference_that_paints_everything_is_its_contrasted_attention(q, own):
    ref = reference(1, torch.ones(1, N))
    for clip in (True, False):
        expected = contrasted_attention(q, ref.k, ref.v, contrast=1.67, clip=clip)
        assert torch.equal(cross_image_attention(q, own, [ref], clip=clip), expected)
        assert torch.equal(cross_image_attention(q, None, [ref], clip=clip), expected)


@pytest.mark.parametrize("references", [[], [reference(1, torch.zeros(1, N))]])
def test_without_a_share_the_output_is_its_own(q, own, references):
    assert torch.equal(cross_image_attention(q, own, references), own)


def test_the_sum_of_shares_and_the_rest(q, own):
    generator = torch.Generator().manual_seed(3)
    parts = torch.rand(3, 2, N, generator=generator) * torch.tensor([0.0, 0.4, 0.3, 1.0] * 3)
    parts = parts / parts.sum(dim=0).clamp_min(1)
    refs = [reference(seed, weight, keys=5 + seed) for seed, weight in enumerate(parts)]
    out = cross_image_attention(q, own, refs)
    expected = own * (1 - parts.sum(dim=0))[:, None, :, None]
    for k, v, weight, *_ in refs:
        expected = expected + contrasted_attention(q, k, v) * weight[:, None, :, None]
    torch.testing.assert_close(out, expected, atol=1e-5, rtol=0)


def test_each_position_gets_its_reference_alone(q, own):
    left = (torch.arange(N) < 5).float()[None]
    out = cross_image_attention(q, own, [reference(1, left), reference(2, 1 - left)])
    for seed, positions in ((1, slice(0, 5)), (2, slice(5, N))):
        k, v = keys_and_values(seed)
        torch.testing.assert_close(out[:, :, positions], contrasted_attention(q, k, v)[:, :, positions])


def test_rows_of_a_batch_may_be_painted_differently(q, own):
    weight = torch.stack([torch.ones(N), torch.zeros(N)])
    ref = reference(1, weight)
    out = cross_image_attention(q, own, [ref])
    torch.testing.assert_close(out[0], contrasted_attention(q, ref.k, ref.v)[0])
    torch.testing.assert_close(out[1], own[1])


def test_only_positions_with_a_share_are_computed(q, own, monkeypatch):
    asked = []

    def counting(queries, k, v, **options):
        asked.append(queries.shape[2])
        return contrasted_attention(queries, k, v, **options)

    monkeypatch.setattr(module, "contrasted_attention", counting)
    third = (torch.arange(N) < 4).float()[None]
    cross_image_attention(q, own, [reference(1, third), reference(2, torch.zeros(1, N)), reference(3, 1 - third)])
    assert asked == [4, 8]


def test_a_rest_needs_the_own_attention(q):
    with pytest.raises(ValueError, match="own attention"):
        cross_image_attention(q, None, [reference(1, torch.full((1, N), 0.5))])


def test_inputs_are_not_changed(q, own):
    before = own.clone()
    cross_image_attention(q, own, [reference(1, torch.full((1, N), 0.5)), reference(2, torch.full((1, N), 0.25))])
    assert torch.equal(own, before)


def test_weights_mix_and_leave_a_rest():
    def everywhere(*weights):
        return weight_maps(weights, [None] * len(weights), (3, 4), 1)[:, 0, 0].tolist()

    assert everywhere(1.0) == [1.0]
    assert everywhere(0.7) == pytest.approx([0.7])
    assert everywhere(2.0) == [1.0]
    assert everywhere(1.0, 1.0) == [0.5, 0.5]
    assert everywhere(2.0, 1.0) == pytest.approx([2 / 3, 1 / 3])
    assert everywhere(0.25, 0.5) == [0.25, 0.5]
    assert everywhere(0.0, 1.0) == [0.0, 1.0]


def test_masks_divide_the_image():
    left = torch.zeros(8, 8)
    left[:, :4] = 1
    maps = weight_maps([1.0, 0.5], [left, None], (4, 4), 1).view(2, 4, 4)
    assert torch.allclose(maps[0], torch.tensor([2 / 3, 2 / 3, 0, 0]).expand(4, 4))
    assert torch.allclose(maps[1], torch.tensor([1 / 3, 1 / 3, 0.5, 0.5]).expand(4, 4))


def test_a_mask_is_averaged_over_each_token():
    mask = torch.zeros(1, 16, 24)
    mask[0, :2, :3] = 1
    maps = weight_maps([1.0], [mask], (4, 6), 1).view(4, 6)
    assert maps[0, 0] == pytest.approx(6 / 16)
    assert maps.sum() == pytest.approx(6 / 16)


def test_masks_of_a_batch_are_repeated_in_turn():
    masks = torch.stack([torch.zeros(4, 4), torch.ones(4, 4)])
    assert weight_maps([1.0], [masks], (2, 2), 3)[0, :, 0].tolist() == [0.0, 1.0, 0.0]
    assert weight_maps([1.0], [masks], (2, 2), 1)[0, :, 0].tolist() == [0.0]


def test_wrong_counts_and_weights_are_refused():
    with pytest.raises(ValueError, match="2 weights for 1"):
        weight_maps([1.0, 1.0], [None], (2, 2), 1)
    with pytest.raises(ValueError, match="0 or more"):
        weight_maps([-1.0], [None], (2, 2), 1)


@settings(deadline=None)
@given(st.lists(st.tuples(st.floats(0, 5), st.floats(-0.5, 1.5)), min_size=1, max_size=4), st.integers(0, 1000))
def test_shares_never_exceed_one(weights_and_levels, seed):
    generator = torch.Generator().manual_seed(seed)
    weights = [weight for weight, _ in weights_and_levels]
    masks = [torch.rand(7, 9, generator=generator) * 0.2 + level for _, level in weights_and_levels]
    maps = weight_maps(weights, masks, (4, 5), 2)
    assert maps.shape == (len(weights), 2, 20)
    assert maps.min() >= 0
    assert maps.sum(dim=0).max() <= 1 + 1e-6
