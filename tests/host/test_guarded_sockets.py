"""Sockets that take values of several types: what is none of them is named, and what is one of them goes through."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(scope="module")
def inversion(model):
    return world.invert(model, world.latents(1))


def sampled(host, model, inversion):
    with torch.inference_mode():
        return host.nodes["AppearanceTransfer_SampleFromInversion"].execute(model, inversion, 1.0).args[0]["samples"]


def test_sampling_takes_a_model_or_a_guider(host, model, inversion) -> None:
    texts = {"positive": world.prompt(1), "negative": world.prompt(2)}
    guided = sampled(host, world.stock_guider(model, **texts), inversion)
    assert torch.equal(sampled(host, model, inversion), guided)


@pytest.mark.parametrize("value", [object(), None, "a model"])
def test_sampling_with_neither(host, inversion, value) -> None:
    with pytest.raises(ValueError, match=r"^model is .*, which is none of MODEL, GUIDER; connect one of these\.$"):
        sampled(host, value, inversion)


def test_sampling_with_a_network_that_is_not_known(host, model, inversion, monkeypatch) -> None:
    stranger = model.clone()
    monkeypatch.setattr(stranger.model, "diffusion_model", torch.nn.Identity())
    with pytest.raises(
        ValueError, match="^model is a Identity, whose attention this pack does not know.* Load one of these"
    ):
        sampled(host, stranger, inversion)


def test_a_mask_of_the_appearance_is_of_the_reference(host, inversion) -> None:
    node = host.nodes["AppearanceTransfer_AppearanceOptions"]
    with pytest.raises(ValueError, match="appearance_mask is 64x32, which is another shape than reference"):
        node.execute(inversion, 1.0, appearance_mask=torch.ones(1, 32, 64))
    assert node.execute(inversion, 1.0, appearance_mask=torch.ones(1, 64, 64)).args[0].appearance_mask is not None
