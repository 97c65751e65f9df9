"""Contrast: the official vectors, the mean-based definition, and what holds for every input. fp32, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention import contrast as module
from appearance_transfer.attention.contrast import contrasted_attention, query_chunks
from appearance_transfer.tests.golden.reference import golden
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import scaled_dot_product_attention
from torch.overrides import TorchFunctionMode
from torch.utils._pytree import tree_leaves


def random_qkv(seed=0, batch=2, heads=3, queries=20, keys=17, width=8, sharpness=1.0, dtype=torch.float32):
    generator = torch.Generator().manual_seed(seed)
    q = torch.randn(batch, heads, queries, width, generator=generator, dtype=dtype) * sharpness
    k, v = torch.randn(2, batch, heads, keys, width, generator=generator, dtype=dtype)
    return q, k, v


def by_the_mean(q, k, v, beta, clip, scale=None):
    """The definition as the paper has it: the whole map, spread around the mean of each row."""
    scale = q.shape[-1] ** -0.5 if scale is None else scale
    attention = torch.softmax(q @ k.transpose(-1, -2) * scale, dim=-1)
    mean = attention.mean(dim=-1, keepdim=True)
    spread = (attention - mean) * beta + mean
    return (spread.clamp(0, 1) if clip else spread) @ v


@pytest.mark.parametrize("case", ["flat", "moderate", "peaked"])
def test_it_is_the_released_code(case):
    """max abs 1e-5."""
    q, k, v = (golden("operators", f"contrast.{case}.{part}") for part in "qkv")
    plain = contrasted_attention(q, k, v, contrast=1.0)
    torch.testing.assert_close(plain, golden("operators", f"contrast.{case}.out_noedit"), atol=1e-5, rtol=0)
    out = contrasted_attention(q, k, v)
    torch.testing.assert_close(out, golden("operators", f"contrast.{case}.out"), atol=1e-5, rtol=0)
    sums = contrasted_attention(q, k, torch.ones_like(v))[..., 0]
    torch.testing.assert_close(sums, golden("operators", f"contrast.{case}.rowsum"), atol=1e-5, rtol=0)


@settings(deadline=None)
@given(
    st.integers(0, 2**32 - 1), st.floats(0.1, 4.0), st.floats(0.0, 30.0), st.booleans(), st.sampled_from([None, 1, 7])
)
def test_the_closed_form_is_the_mean_based_one(seed, beta, sharpness, clip, chunk):
    q, k, v = random_qkv(seed, sharpness=sharpness, dtype=torch.float64)
    out = contrasted_attention(q, k, v, contrast=beta, clip=clip, query_chunk=chunk)
    torch.testing.assert_close(out, by_the_mean(q, k, v, beta, clip), atol=1e-12, rtol=0)


@settings(deadline=None)
@given(st.integers(0, 2**32 - 1), st.floats(1.0, 3.0), st.floats(0.0, 50.0))
def test_rows_sum_to_one_and_up_to_the_contrast(seed, beta, sharpness):
    """The clip removes negative entries, which lets a row grow, but never beyond the contrast."""
    q, k, v = random_qkv(seed, sharpness=sharpness)
    sums = contrasted_attention(q, k, torch.ones_like(v), contrast=beta)
    assert sums.min() >= 1 - 1e-5
    assert sums.max() <= beta + 1e-5
    unclipped = contrasted_attention(q, k, torch.ones_like(v), contrast=beta, clip=False)
    torch.testing.assert_close(unclipped, torch.ones_like(unclipped), atol=1e-5, rtol=0)


def test_contrast_one_is_plain_attention():
    q, k, v = random_qkv()
    for clip in (True, False):
        assert torch.equal(contrasted_attention(q, k, v, contrast=1, clip=clip), scaled_dot_product_attention(q, k, v))


def test_the_clip_matters():
    q, k, v = random_qkv()
    difference = contrasted_attention(q, k, v, clip=True) - contrasted_attention(q, k, v, clip=False)
    assert difference.abs().max() > 0.1


@pytest.mark.parametrize("clip", [True, False])
def test_the_scale_is_that_of_the_scores(clip):
    q, k, v = random_qkv()
    out = contrasted_attention(q, k, v, clip=clip, scale=0.9)
    torch.testing.assert_close(out, by_the_mean(q, k, v, 1.67, clip, scale=0.9), atol=1e-5, rtol=0)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("beta", [1.0, 1.67])
def test_one_reference_serves_a_batch(clip, beta):
    q, k, v = random_qkv(batch=3)
    alone = contrasted_attention(q, k[:1], v[:1], contrast=beta, clip=clip)
    repeated = contrasted_attention(q, k[:1].repeat(3, 1, 1, 1), v[:1].repeat(3, 1, 1, 1), contrast=beta, clip=clip)
    torch.testing.assert_close(alone, repeated)


@pytest.mark.parametrize("clip", [True, False])
@pytest.mark.parametrize("beta", [1.0, 1.67])
@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_half_precision_in_half_precision_out(dtype, beta, clip):
    q, k, v = (t.to(dtype) for t in random_qkv())
    out = contrasted_attention(q, k, v, contrast=beta, clip=clip)
    assert out.dtype == dtype
    expected = by_the_mean(q.float(), k.float(), v.float(), beta, clip)
    torch.testing.assert_close(out.float(), expected, atol=3 * torch.finfo(dtype).eps, rtol=2e-2)


def test_scores_beyond_half_precision_stay_finite():
    """The softmax runs in fp32: a score of 8 * 120^2 does not fit in fp16."""
    q, k, v = (t.half() for t in random_qkv(queries=4, keys=4))
    out = contrasted_attention(q.sign() * 120, k.sign() * 120, v, scale=1.0)
    assert out.isfinite().all()


def test_chunks_cover_every_query_once_within_the_budget(monkeypatch):
    q = torch.empty(2, 3, 100, 8)
    monkeypatch.setattr(module, "CPU_SCORE_BYTES", 2 * 3 * 50 * 4 * 7)
    chunks = query_chunks(q, keys=50)
    assert [i for chunk in chunks for i in range(100)[chunk]] == list(range(100))
    assert max(chunk.stop - chunk.start for chunk in chunks) == 7
    assert query_chunks(q.to("meta"), keys=2**20)[0].stop == 2
    monkeypatch.setattr(module, "CPU_SCORE_BYTES", 1)
    assert len(query_chunks(q, keys=50)) == 100
    assert query_chunks(q, keys=50, query_chunk=1000) == [slice(0, 100)]


class LargestTensor(TorchFunctionMode):
    """Notes the largest tensor, in bytes, that any operation makes."""

    def __init__(self):
        super().__init__()
        self.bytes = 0

    def __torch_function__(self, func, types, args=(), kwargs=None):
        result = func(*args, **(kwargs or {}))
        self.bytes = max([self.bytes, *(t.nbytes for t in tree_leaves(result) if isinstance(t, torch.Tensor))])
        return result


def test_no_tensor_is_larger_than_the_budget(monkeypatch):
    """At N = M = 512 the whole map would be 2 MiB."""
    q, k, v = random_qkv(batch=1, heads=2, queries=512, keys=512)
    monkeypatch.setattr(module, "CPU_SCORE_BYTES", 64 * 1024)
    with LargestTensor() as largest:
        contrasted_attention(q, k, v)
    assert largest.bytes == 64 * 1024
    with LargestTensor() as largest:
        contrasted_attention(q, k, v, query_chunk=512)
    assert largest.bytes == 2 * 512 * 512 * 4


@pytest.mark.parametrize("clip", [True, False])
def test_gradients_flow(clip):
    """Guidance that optimizes a latent differentiates through attention."""
    q, k, v = random_qkv(batch=1, heads=1, queries=3, keys=4, width=2, dtype=torch.float64)
    for t in (q, k, v):
        t.requires_grad_()
    out = contrasted_attention(q, k, v, clip=clip, query_chunk=2)
    found = torch.autograd.grad(out.square().sum(), (q, k, v))
    expected = torch.autograd.grad(by_the_mean(q, k, v, 1.67, clip).square().sum(), (q, k, v))
    for a, b in zip(found, expected, strict=True):
        torch.testing.assert_close(a, b)
