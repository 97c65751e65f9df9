"""The reference code's FreeU in closed form. fp32, torch 2.11, tolerance 1e-5 max abs."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.tests.golden.freeu import enter_up_block, low_frequency_filter
from appearance_transfer.tests.golden.reference import golden

TOLERANCE = 1e-5


@pytest.mark.parametrize(
    ("source", "result", "scale"),
    [
        ("filter_x", "filter_out_0.2", 0.2),
        ("filter_x", "filter_out_0.9", 0.9),
        ("filter_x_rect", "filter_out_rect_0.9", 0.9),
    ],
)
def test_filter_agrees_with_the_released_code(source, result, scale):
    out = low_frequency_filter(golden("operators", f"freeu.{source}"), scale)
    torch.testing.assert_close(out, golden("operators", f"freeu.{result}"), atol=TOLERANCE, rtol=0)


@pytest.mark.parametrize(("channels", "backbone", "filtered"), [(1280, 1.2, 0.9), (640, 1.4, 0.2)])
def test_entry_agrees_with_the_released_code(channels, backbone, filtered):
    out = enter_up_block(golden("operators", f"freeu.entry_x_{channels}"), backbone, filtered)
    torch.testing.assert_close(out, golden("operators", f"freeu.entry_out_{channels}"), atol=TOLERANCE, rtol=0)


def test_closed_form_is_the_real_part_of_the_one_sided_block():
    x = torch.randn(2, 3, 12, 20, dtype=torch.float64, generator=torch.Generator().manual_seed(0))
    spectrum = torch.fft.fftshift(torch.fft.fft2(x), dim=(-2, -1))
    spectrum[..., 5:7, 9:11] *= 0.3
    released = torch.fft.ifft2(torch.fft.ifftshift(spectrum, dim=(-2, -1))).real
    torch.testing.assert_close(low_frequency_filter(x, 0.3), released, atol=1e-14, rtol=0)
