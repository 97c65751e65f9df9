"""The own keys and those of references in one softmax. fp32, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention.contrast import contrasted_attention
from appearance_transfer.attention.cross_image import Reference, cross_image_attention
from appearance_transfer.attention.match_prior import AttentionBias
from appearance_transfer.attention.shared_keys import OwnKeys, shared_keys_attention
from torch.nn.functional import scaled_dot_product_attention

N, BEFORE, BEHIND = 12, 3, 2
AROUND = (BEFORE, BEHIND)


def tensors(seed: int, keys: int = N) -> torch.Tensor:
    return torch.randn(2, 3, keys, 8, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def q() -> torch.Tensor:
    return tensors(0)


@pytest.fixture
def keys() -> OwnKeys:
    return OwnKeys(tensors(1, N + 5), tensors(2, N + 5), AROUND)


@pytest.fixture
def own(q, keys) -> torch.Tensor:
    return scaled_dot_product_attention(q, keys.k, keys.v)


def itself(keys: OwnKeys, weight: torch.Tensor) -> Reference:
    return Reference(keys.k[:, :, BEFORE:-BEHIND], keys.v[:, :, BEFORE:-BEHIND], weight)


@pytest.mark.parametrize("weight", [0.001, 0.3, 1.0])
def test_the_output_itself_changes_nothing(q, own, keys, weight) -> None:
    found = shared_keys_attention(q, own, keys, [itself(keys, torch.full((1, N), weight))], contrast=1.0)
    torch.testing.assert_close(found, own, atol=1e-6, rtol=0)


def test_two_references_of_itself_change_nothing(q, own, keys) -> None:
    two = [itself(keys, torch.full((1, N), 0.3)), itself(keys, torch.full((1, N), 0.5))]
    found = shared_keys_attention(q, own, keys, two, contrast=1.0)
    torch.testing.assert_close(found, own, atol=1e-6, rtol=0)


def test_plain_concatenation_of_itself_weighs_the_image_twice(q, own, keys) -> None:
    ones = torch.ones(1, N)
    found = shared_keys_attention(q, own, keys, [itself(keys, ones)], contrast=1.0, balanced=False)
    assert float((found - own).abs().max()) > 1e-2


def test_without_a_share_the_own_attention_stays(q, own, keys) -> None:
    reference = Reference(tensors(3, 7), tensors(4, 7), (torch.arange(N) < 4).float()[None] * 0.5)
    found = shared_keys_attention(q, own, keys, [reference])
    assert torch.equal(found[:, :, 4:], own[:, :, 4:])
    assert not torch.equal(found[:, :, :4], own[:, :, :4])
    nothing = reference._replace(weight=torch.zeros(1, N))
    assert shared_keys_attention(q, own, keys, [nothing]) is own


@pytest.mark.parametrize("contrast", [1.0, 1.67])
@pytest.mark.parametrize("clip", [True, False])
def test_a_whole_share_replaces_the_own_image(q, own, keys, contrast, clip) -> None:
    """Also where only some of the reference's keys may be read."""
    k, v = tensors(3), tensors(4)
    bias = AttentionBias(key_mask=(torch.arange(N) % 2).float()[None])
    alone = Reference(k, v, torch.ones(1, N), bias)
    text = [whole[:, :, part] for whole in (keys.k, keys.v) for part in (slice(BEFORE), slice(N + BEFORE, None))]
    joined = Reference(
        torch.cat([text[0], k, text[1]], 2), torch.cat([text[2], v, text[3]], 2), torch.ones(1, N), bias, AROUND
    )
    replaced = cross_image_attention(q, None, [joined], contrast=contrast, clip=clip)
    found = shared_keys_attention(q, None, keys, [alone], contrast=contrast, clip=clip)
    torch.testing.assert_close(found, replaced, atol=1e-6, rtol=0)


@pytest.mark.parametrize("clip", [True, False])
def test_contrast_leaves_the_text_its_part(q, keys, clip) -> None:
    """The values of the text are 1 and those of the image 0, so the result is the text's part."""
    values = torch.zeros_like(keys.v)
    values[:, :, :BEFORE] = values[:, :, -BEHIND:] = 1
    plain = scaled_dot_product_attention(q, keys.k, values)
    found = contrasted_attention(q, keys.k, values, contrast=1.67, clip=clip, around=AROUND)
    torch.testing.assert_close(found, plain, atol=1e-6, rtol=0)
    over_all = contrasted_attention(q, keys.k, values, contrast=1.67, clip=clip)
    assert float((over_all - plain).abs().max()) > 1e-2


def test_contrast_spreads_the_image_around_its_own_mean(q, keys) -> None:
    attention = torch.softmax(q @ keys.k.mT / 8**0.5, -1)
    image = attention[..., BEFORE:-BEHIND]
    spread = 1.67 * image - 0.67 * image.mean(-1, keepdim=True)
    expected = torch.cat([attention[..., :BEFORE], spread, attention[..., -BEHIND:]], -1) @ keys.v
    found = contrasted_attention(q, keys.k, keys.v, contrast=1.67, clip=False, around=AROUND, query_chunk=5)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)
