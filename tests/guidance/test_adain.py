"""AdaIN: the official vectors, what it promises, and masks that are empty. fp32, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.guidance.adain import adain, has_statistics, mask_findings
from appearance_transfer.tests.golden.reference import golden

WARNINGS = {"content": "AdaIN: mask has no full pixels", "style": "AdaIN: appearance_mask has no full pixels"}


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("masks", ["none", "binary", "fractional"])
def test_it_is_the_official_one(masks):
    """max abs 1e-5."""
    x, style = golden("operators", "adain.content")[None], golden("operators", "adain.style")[None]
    suffix = {"none": None, "binary": "", "fractional": "_frac"}[masks]
    if suffix is None:
        out, reference = adain(x, style), golden("operators", "adain.out")
    else:
        content_mask = golden("operators", f"adain.mask_content{suffix}")[None]
        style_mask = golden("operators", f"adain.mask_style{suffix}")[None]
        out, reference = adain(x, style, content_mask, style_mask), golden("operators", f"adain.out_masked{suffix}")
    torch.testing.assert_close(out[0], reference, atol=1e-5, rtol=0)


def test_the_output_has_the_statistics_of_the_style():
    x, style = randn(2, 4, 16, 12), randn(2, 4, 8, 9, seed=1) * 3 + 2
    out = adain(x, style)
    torch.testing.assert_close(out.mean(dim=(-1, -2)), style.mean(dim=(-1, -2)), atol=1e-5, rtol=0)
    torch.testing.assert_close(out.std(dim=(-1, -2)), style.std(dim=(-1, -2)), atol=1e-4, rtol=0)


@pytest.mark.parametrize("masked", [False, True])
@pytest.mark.parametrize(("size", "style_size"), [((1, 1), (1, 1)), ((1, 1), (6, 5)), ((6, 5), (1, 1))])
def test_a_map_of_one_pixel_gives_or_takes_the_mean_alone(size, style_size, masked):
    x, style = randn(2, 4, *size), randn(1, 4, *style_size, seed=1)
    masks = (torch.ones(1, *size), torch.ones(1, *style_size)) if masked and size == style_size else ()
    out = adain(x, style, *masks)
    expected = x - x.mean(dim=(-1, -2), keepdim=True) + style.mean(dim=(-1, -2), keepdim=True)
    torch.testing.assert_close(out, expected)


def test_the_variance_is_unbiased():
    """Three pixels and two: with n instead of n - 1 the ratio of the spreads would differ."""
    x = torch.tensor([-1.0, 0.0, 1.0]).view(1, 1, 1, 3)
    style = torch.tensor([-1.0, 1.0]).view(1, 1, 1, 2)
    assert adain(x, style)[0, 0, 0, 2].item() == pytest.approx(2**0.5, abs=1e-4)


def test_an_image_as_its_own_style_stays():
    """To 1e-6."""
    x = randn(2, 4, 16, 16)
    mask = (randn(2, 16, 16, seed=1) > 0).float()
    torch.testing.assert_close(adain(x, x), x, atol=1e-6, rtol=0)
    torch.testing.assert_close(adain(x, x, mask, mask), x, atol=1e-6, rtol=0)


def test_a_mask_keeps_its_outside_bit_by_bit_and_does_not_look_there():
    x, style, mask = randn(1, 4, 8, 8), randn(1, 4, 8, 8, seed=1), torch.zeros(1, 8, 8)
    mask[:, 2:6, 2:6] = 1
    out = adain(x, style, mask, mask)
    outside = mask[:, None].expand_as(x) == 0
    assert torch.equal(out[outside], x[outside])
    elsewhere = torch.where(outside, 100.0, style)
    assert torch.equal(adain(x, elsewhere, mask, mask), out)
    torch.testing.assert_close(adain(torch.where(outside, 100.0, x), style, mask, mask)[~outside], out[~outside])


def test_a_half_mask_blends_half():
    x, style, mask = randn(1, 4, 8, 8), randn(1, 4, 8, 8, seed=1), torch.ones(1, 8, 8)
    full = adain(x, style, mask)
    mask[:, 0, 0] = 0.5
    inside = torch.ones(64, dtype=torch.bool)
    inside[0] = False
    measured = x.flatten(2)[..., inside]
    normal = (x[..., 0, 0] - measured.mean(-1)) / measured.std(-1)
    expected = normal * style.std(dim=(-1, -2)) + style.mean(dim=(-1, -2))
    out = adain(x, style, mask)
    torch.testing.assert_close(out[..., 0, 0], (x[..., 0, 0] + expected) / 2, atol=1e-4, rtol=0)
    assert not torch.equal(full, out)


def test_one_style_and_one_mask_serve_a_batch():
    x, style, mask = randn(3, 4, 8, 8), randn(1, 4, 8, 8, seed=1), (randn(1, 8, 8, seed=2) > 0).float()
    out = adain(x, style, mask, mask)
    for row in range(3):
        torch.testing.assert_close(out[row : row + 1], adain(x[row : row + 1], style, mask, mask))


@pytest.mark.parametrize("full_pixels", [0, 1])
@pytest.mark.parametrize("which", ["content", "style"])
def test_a_mask_without_statistics_is_found_and_everything_is_measured(which, full_pixels):
    """A sentence, never NaN."""
    x, style, mask = randn(1, 4, 8, 8), randn(1, 4, 8, 8, seed=1), torch.full((1, 8, 8), 0.5)
    mask[:, 0, :full_pixels] = 1
    masks = {"content_mask": None, "style_mask": None, f"{which}_mask": mask}
    out = adain(x, style, **masks)
    assert [WARNINGS[which] in finding for finding in mask_findings(**masks)] == [True]
    moved = adain(x, style)
    expected = torch.lerp(x, moved, mask[:, None]) if which == "content" else moved
    torch.testing.assert_close(out, expected)


@pytest.mark.parametrize("empty", ["content", "style"])
def test_where_only_one_mask_has_statistics_the_image_stays(empty):
    """An object with the colors of a whole image: worse than doing nothing, and the finding says so."""
    x, style = randn(2, 4, 8, 8), randn(2, 4, 8, 8, seed=1)
    good = (randn(2, 8, 8, seed=2) > 0).float()
    poor = good.clone()
    poor[0] = 0
    masks = {"content_mask": good, "style_mask": good, f"{empty}_mask": poor}
    out = adain(x, style, **masks)
    (finding,) = mask_findings(**masks)
    assert WARNINGS[empty] in finding and "stay as they are" in finding
    assert torch.equal(out[0], x[0])
    torch.testing.assert_close(out[1], adain(x[1:], style[1:], good[1:], good[1:])[0])


def test_one_good_mask_for_a_batch_of_which_one_has_none():
    x, style, good = randn(2, 4, 8, 8), randn(1, 4, 8, 8, seed=1), (randn(1, 8, 8, seed=2) > 0).float()
    content = torch.cat([good, torch.zeros(1, 8, 8)])
    out = adain(x, style, content, good)
    assert torch.equal(out[1], x[1])
    torch.testing.assert_close(out[:1], adain(x[:1], style, good, good))


def test_an_all_zero_content_mask_counts_as_none():
    x, style = randn(2, 4, 8, 8), randn(1, 4, 8, 8, seed=1)
    mask = torch.zeros(2, 8, 8)
    mask[1, :4] = 1
    out = adain(x, style, mask)
    assert len(mask_findings(mask, None)) == 1
    torch.testing.assert_close(out[0], adain(x, style)[0])
    torch.testing.assert_close(out[1], adain(x[1:], style, mask[1:])[0])


def test_of_good_masks_there_is_nothing_to_say():
    mask = torch.ones(1, 8, 8)
    assert mask_findings(mask, mask) == mask_findings(None, None) == []


def test_has_statistics_needs_two_full_pixels():
    mask = torch.zeros(4, 3, 3)
    mask[1, 0, 0] = 1
    mask[2, 0, :2] = 1
    mask[3] = 0.9
    assert has_statistics(mask).tolist() == [False, False, True, False]


def test_a_flat_image_stays_finite():
    assert adain(torch.zeros(1, 4, 8, 8), randn(1, 4, 8, 8)).isfinite().all()


def test_half_precision_of_a_large_map():
    """The sum of 512 x 512 ones is beyond fp16."""
    x, style = randn(1, 1, 512, 512).half(), (randn(1, 1, 512, 512, seed=1) * 2 + 1).half()
    out = adain(x, style)
    assert out.dtype == torch.float16
    torch.testing.assert_close(out.float(), adain(x.float(), style.float()), atol=1e-2, rtol=0)
