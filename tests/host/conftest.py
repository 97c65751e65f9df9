"""What several modules here share: a small random U-Net, an inverted image for either side of a transfer, a spy."""

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


@pytest.fixture
def gradient_passes(monkeypatch):
    """What every gradient pass finds: (gradient [2, B, C, h, w], losses [2, B])."""
    from appearance_transfer.host.editing import cross_attention_guider

    found = []
    real = cross_attention_guider.attention_gradient

    def noting(*args):
        found.append(real(*args))
        return found[-1]

    monkeypatch.setattr(cross_attention_guider, "attention_gradient", noting)
    return found
