"""Appearance guidance: the official weights, and which prediction is left where."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.guidance.appearance import as_one_guidance, guidance_scale, guide
from appearance_transfer.tests.golden.reference import golden

PLAIN, EDITED, UNGUIDED = torch.randn(3, 2, 4, 5, 5, generator=torch.Generator().manual_seed(0)).unbind()


@pytest.mark.parametrize(("name", "start"), [("w_3p5_68", 3.5), ("w_3p5_100", 3.5), ("w_1p5_68", 1.5)])
def test_scales_are_the_official_ones(name, start):
    """float64, 1e-12."""
    reference = golden("operators", f"guidance.{name}").tolist()
    steps = len(reference)
    assert [guidance_scale(i, steps, start) for i in range(steps)] == pytest.approx(reference, abs=1e-12)


def test_scales_of_the_specification():
    """From the start to half of it, in a straight line."""
    assert guidance_scale(0, 68) == 3.5
    assert guidance_scale(67, 68) == pytest.approx(1.75)
    assert guidance_scale(11, 68) == pytest.approx(3.2127, abs=1e-4)
    assert guidance_scale(40, 68) == pytest.approx(2.4552, abs=1e-4)


def test_ends_and_a_single_step():
    assert guidance_scale(9, 10, 4.0, end=3.0) == 3.0
    assert guidance_scale(9, 10, 4.0, end=0.0) == 0.0
    assert guidance_scale(0, 1, 4.0, end=3.0) == 4.0


def test_scale_one_is_the_edited_prediction_bit_by_bit():
    assert torch.equal(guide(PLAIN, EDITED, 1.0), EDITED)
    torch.testing.assert_close(guide(PLAIN, EDITED, 0.0), PLAIN)


def test_the_formula():
    out = guide(PLAIN, EDITED, 3.5, UNGUIDED, 7.5)
    torch.testing.assert_close(out, PLAIN + 3.5 * (EDITED - PLAIN) + 6.5 * (PLAIN - UNGUIDED))
    assert torch.equal(guide(PLAIN, EDITED, 3.5, UNGUIDED, 1.0), guide(PLAIN, EDITED, 3.5))


def test_without_an_edit_it_is_classifier_free_guidance():
    torch.testing.assert_close(guide(PLAIN, PLAIN, 3.5, UNGUIDED, 7.5), UNGUIDED + 7.5 * (PLAIN - UNGUIDED))


def test_text_guidance_needs_a_negative():
    with pytest.raises(ValueError, match="negative conditioning"):
        guide(PLAIN, EDITED, 2.0, None, 7.5)


@pytest.mark.parametrize("scale", [0.5, 1.0, 3.5])
@pytest.mark.parametrize("text_scale", [0.0, 1.0, 1.5, 7.5])
def test_as_one_guidance_it_is_the_same(scale, text_scale):
    cond, uncond, cfg = as_one_guidance(PLAIN, EDITED, scale, UNGUIDED, text_scale)
    torch.testing.assert_close(uncond + cfg * (cond - uncond), guide(PLAIN, EDITED, scale, UNGUIDED, text_scale))


def test_one_guidance_alone_moves_away_from_its_own_prediction():
    cond, uncond, cfg = as_one_guidance(PLAIN, EDITED, 3.5)
    assert cond is EDITED
    assert uncond is PLAIN
    assert cfg == 3.5
    cond, uncond, cfg = as_one_guidance(PLAIN, PLAIN, 1.0, UNGUIDED, 7.5)
    assert cond is PLAIN
    torch.testing.assert_close(uncond, UNGUIDED)
    assert cfg == 7.5
