"""Pocket scenes are told from all other images, at any size and through the autoencoder."""

from pathlib import Path

import numpy as np
import pytest
import torch
from appearance_transfer.pocket.checkpoint_file import read_checkpoint
from appearance_transfer.pocket.familiarity import FAR, strangeness, strangeness_of_latents
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.tests.pocket.far_images import waves
from PIL import Image

PHOTOGRAPHS = Path(__file__).resolve().parents[3] / "shared" / "data" / "pairs"
CLEAR = 0.25  # of the limit: by how much both sides keep away from it


@pytest.fixture(scope="module")
def networks():
    return read_checkpoint().models()


def scenes(count: int, size: int) -> torch.Tensor:
    return render([random_scene(940_000 + seed) for seed in range(count)], size).image


@pytest.mark.parametrize(("count", "size"), [(8, 128), (2, 256), (1, 512)])
def test_scenes_are_near(networks, count: int, size: int) -> None:
    assert strangeness(networks, scenes(count, size)).max() < (1 - CLEAR) * FAR


def test_scenes_that_come_as_latents_are_near(networks) -> None:
    with torch.no_grad():
        latents = networks[2].encode(scenes(4, 128).permute(0, 3, 1, 2))
    assert strangeness_of_latents(networks, latents).max() < FAR


@pytest.mark.parametrize("size", [64, 128, 256])
def test_other_images_are_far(networks, size: int) -> None:
    assert strangeness(networks, waves(size)).min() > (1 + CLEAR) * FAR
    with torch.no_grad():
        latents = networks[2].encode(waves(size).permute(0, 3, 1, 2))
    assert strangeness_of_latents(networks, latents).min() > FAR


def test_plain_colors_and_noise_are_far(networks) -> None:
    torch.manual_seed(0)
    plain = torch.rand(4, 1, 1, 3).expand(4, 128, 128, 3)
    assert strangeness(networks, torch.cat([plain, torch.rand(2, 128, 128, 3)])).min() > FAR


def test_an_image_is_judged_alone(networks) -> None:
    both = torch.cat([scenes(1, 128), waves()[:1]])
    alone = torch.cat([strangeness(networks, image[None]) for image in both])
    assert torch.equal(strangeness(networks, both), alone)


@pytest.mark.skipif(not PHOTOGRAPHS.is_dir(), reason="The photographs lie in ../shared/data/pairs.")
def test_photographs_are_far(networks) -> None:
    for file in sorted(path for path in PHOTOGRAPHS.iterdir() if path.suffix in (".png", ".jpg")):
        with Image.open(file) as image:
            image.thumbnail((512, 512))
            pixels = np.asarray(image.convert("RGB"), dtype=np.float32) / 255.0
        assert strangeness(networks, torch.from_numpy(pixels)[None])[0] > (1 + CLEAR) * FAR, file.name
