"""The inverting nodes say, once, that the pocket checkpoint does not know an image; no other checkpoint is asked."""

import logging

import pytest
import torch
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.pocket.far_images import waves


@pytest.fixture(scope="module")
def pocket(host):
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

    return load_pocket_checkpoint()


def warnings(caplog, pocket, images: torch.Tensor, way: str = "ddpm") -> list[str]:
    """What is said while images are inverted in two steps."""
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim, invert_with_ddpm
    from appearance_transfer.host.models.schedules import schedule_of

    model, clip, vae = pocket
    text = clip.encode_from_tokens_scheduled(clip.tokenize(""))
    invert = invert_with_ddpm if way == "ddpm" else invert_with_ddim
    caplog.clear()
    with caplog.at_level(logging.WARNING, "appearance_transfer"), torch.inference_mode():
        invert(model, vae.encode(images), text, text, schedule_of(model, steps=2, start_at=0))
    return [record.getMessage() for record in caplog.records]


@pytest.mark.parametrize("way", ["ddpm", "ddim"])
def test_an_image_far_from_the_pocket_world_is_told_once(caplog, pocket, way) -> None:
    (warning,) = warnings(caplog, pocket, waves()[:1], way)
    assert warning.startswith("The image is far from what the pocket checkpoint knows")
    assert "Load Checkpoint" in warning
    assert "Train Splice" in warning


def test_of_a_batch_the_number_is_told(caplog, pocket) -> None:
    scenes = render([random_scene(27)], 128).image
    (warning,) = warnings(caplog, pocket, torch.cat([waves()[:2], scenes]))
    assert warning.startswith("2 of 3 images are far")


def test_pocket_scenes_are_no_matter(caplog, pocket) -> None:
    assert warnings(caplog, pocket, render([random_scene(seed) for seed in (27, 38)], 128).image) == []


def test_another_checkpoint_is_not_asked(caplog, host, monkeypatch) -> None:
    from appearance_transfer.host.models import pocket_advice

    monkeypatch.setattr(pocket_advice, "read_checkpoint", pytest.fail)
    pocket_advice.tell_if_far(world.small_model(), torch.randn(1, 4, 16, 16))
