"""What most tests here sample with: a small random U-Net, and an inverted image for either side of a transfer."""

import pytest
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(scope="module")
def model(host):
    return world.small_model()


@pytest.fixture(scope="module")
def structure(model):
    return world.invert(model, world.latents(1))


@pytest.fixture(scope="module")
def appearance(model):
    return world.invert(model, world.latents(2), seed=7)
