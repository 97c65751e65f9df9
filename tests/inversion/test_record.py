"""What an inversion tells about itself, and which parts do not fit together."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from appearance_transfer.inversion.quality import psnr
from appearance_transfer.inversion.schedule import Schedule
from appearance_transfer.inversion.types import Inversion


@pytest.fixture
def inversion():
    generator = torch.Generator().manual_seed(0)
    return Inversion(
        trajectory=torch.randn(4, 2, 4, 6, 5, generator=generator),
        noise_maps=torch.randn(3, 2, 4, 6, 5, generator=generator),
        schedule=Schedule((3.0, 2.0, 1.0, 0.0)),
        eta=1.0,
        guidance=3.5,
        seed=42,
        method="ddpm",
        fingerprint={"architecture": "sd15", "weights": "abc"},
        conditioning={"cross_attn": torch.randn(2, 77, 8, generator=generator), "pooled": torch.ones(1, 3)},
    )


def test_it_tells_its_measures(inversion):
    assert (inversion.images, inversion.steps, inversion.size) == (2, 3, (6, 5))
    assert torch.equal(inversion.start, inversion.trajectory[0])
    assert torch.equal(inversion.x0, inversion.trajectory[3])
    assert "\n" not in repr(inversion)
    for part in ("ddpm", "2 x 6x5", "3 steps", "3.5", "42"):
        assert part in repr(inversion)


def test_one_image_of_several(inversion):
    second = inversion.image(1)
    assert torch.equal(second.trajectory, inversion.trajectory[:, 1:])
    assert torch.equal(second.noise_maps, inversion.noise_maps[:, 1:])
    assert torch.equal(second.conditioning["cross_attn"], inversion.conditioning["cross_attn"][1:])
    assert torch.equal(second.conditioning["pooled"], inversion.conditioning["pooled"])
    assert second.schedule == inversion.schedule
    for index in (-1, 2):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            inversion.image(index)


def test_entries_of_the_text_follow_their_image_or_stay(inversion):
    ids, one, size = torch.tensor([5, 6]), torch.ones(1, 4, 3, 3), 1024
    each = torch.arange(8.0).reshape(2, 4)
    conditioning = {"positive": each, "positive.ids": ids, "positive.refs": (one, each), "positive.width": size}
    second = dataclasses.replace(inversion, conditioning=conditioning).image(1).conditioning
    assert torch.equal(second["positive"], each[1:])
    assert torch.equal(second["positive.ids"], ids)
    assert torch.equal(second["positive.refs"][0], one)
    assert torch.equal(second["positive.refs"][1], each[1:])
    assert second["positive.width"] == size


def test_ddim_has_no_noise_maps(inversion):
    ddim = dataclasses.replace(inversion, method="ddim", eta=0.0, noise_maps=torch.empty(0))
    assert ddim.image(0).noise_maps.shape == (0,)
    with pytest.raises(ValueError, match="noise maps"):
        dataclasses.replace(inversion, method="ddim")


@pytest.fixture
def null_text(inversion):
    """A DDIM inversion of 2 images and 3 steps, interrupted after 2."""
    return dataclasses.replace(
        inversion,
        method="ddim",
        eta=0.0,
        noise_maps=torch.empty(0),
        null_text=torch.randn(2, 2, 77, 8, generator=torch.Generator().manual_seed(1)),
        null_text_losses=torch.tensor([0.2, 0.1, torch.nan]).expand(2, 2, -1),
    )


def test_null_text(null_text, inversion):
    assert (inversion.null_text_steps, null_text.null_text_steps) == (0, 2)
    assert "null text for 2 of its steps" in repr(null_text)
    assert null_text.is_finite()
    second = null_text.image(1)
    assert torch.equal(second.null_text, null_text.null_text[:, 1:])
    assert second.null_text_losses.shape == (2, 1, 3)
    null_text.null_text[1, 0, 0, 0] = torch.inf
    assert not null_text.is_finite()


@pytest.mark.parametrize(
    "changes",
    [
        {"null_text": None},
        {"null_text_losses": None},
        {"method": "ddpm", "noise_maps": torch.zeros(3, 2, 4, 6, 5)},
        {"null_text": torch.zeros(4, 2, 77, 8), "null_text_losses": torch.zeros(4, 2, 3)},
        {"null_text": torch.zeros(2, 3, 77, 8)},
        {"null_text": torch.zeros(2, 77, 8)},
        {"null_text": torch.zeros(0, 2, 77, 8), "null_text_losses": torch.zeros(0, 2, 3)},
        {"null_text": torch.zeros(2, 2, 77, 8, dtype=torch.int32)},
        {"null_text_losses": torch.zeros(1, 2, 3)},
        {"null_text_losses": torch.zeros(2, 3)},
    ],
)
def test_null_text_that_does_not_fit(null_text, changes):
    with pytest.raises(ValueError, match=r"[Nn]ull-text .* make the inversion again with Null-Text Inversion\."):
        dataclasses.replace(null_text, **changes)


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"method": "magic"}, "says 'magic'"),
        ({"eta": 1.5}, "eta"),
        ({"guidance": torch.nan}, "guidance"),
        ({"trajectory": torch.zeros(4, 2, 4, 6, 5, dtype=torch.int32)}, "floating-point"),
        ({"noise_maps": torch.zeros(3, 2, 4, 6, 5, dtype=torch.int32)}, "floating-point"),
        ({"trajectory": torch.zeros(5, 2, 4, 6, 5)}, "trajectory"),
        ({"trajectory": torch.zeros(4, 2, 4, 6)}, "trajectory"),
        ({"trajectory": torch.zeros(4, 0, 4, 6, 5)}, "trajectory"),
        ({"noise_maps": torch.zeros(4, 2, 4, 6, 5)}, "noise maps"),
        ({"noise_maps": torch.zeros(3, 2, 4, 6, 4)}, "noise maps"),
        ({"prompts": ("a cat", "a dog", "a horse")}, "3 prompts and 2 images"),
        ({"conditioning": {"pooled": torch.zeros(3, 8)}}, "pooled"),
        ({"conditioning": {"pooled": torch.zeros(())}}, "pooled"),
        ({"conditioning": {"refs": (torch.zeros(1, 8), torch.zeros(3, 8))}}, "refs"),
        ({"conditioning": {"mixed": (torch.zeros(1, 8), 3)}}, "mixed"),
        ({"conditioning": {"hooks": object()}}, "hooks"),
        ({"conditioning": {"nested": ((1,),)}}, "nested"),
    ],
)
def test_parts_that_do_not_fit_are_named(inversion, changes, sentence):
    with pytest.raises(ValueError, match=sentence):
        dataclasses.replace(inversion, **changes)


@pytest.mark.parametrize("part", ["trajectory", "noise_maps", "cross_attn"])
@pytest.mark.parametrize("value", [torch.nan, torch.inf])
def test_it_knows_when_it_is_broken(inversion, part, value):
    assert inversion.is_finite()
    tensor = inversion.conditioning["cross_attn"] if part == "cross_attn" else getattr(inversion, part)
    tensor.view(-1)[7] = value
    assert not inversion.is_finite()


@pytest.mark.parametrize("entry", [torch.inf, (1.0, torch.nan), (torch.ones(1, 2), torch.full((1, 2), torch.nan))])
def test_it_knows_when_an_entry_of_its_text_is_broken(inversion, entry):
    assert not dataclasses.replace(inversion, conditioning={"positive.x": entry}).is_finite()


def test_a_text_that_is_not_there_has_its_sentence(inversion):
    with pytest.raises(ValueError, match="lacks the positive text"):
        inversion.embedding("positive")


def test_psnr_of_known_errors():
    image = torch.full((3, 8, 8, 3), 0.5)
    other = image.clone()
    other[1] += 0.1
    other[2, :4] += 0.2
    assert psnr(image, other).tolist() == pytest.approx([torch.inf, 20.0, 16.9897], abs=1e-4)
    with pytest.raises(ValueError, match="one size"):
        psnr(image, other[:, :4])
