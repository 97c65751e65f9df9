"""The fingerprint of a checkpoint: the same in every precision it is loaded in, another one for other weights."""

import logging

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(scope="module")
def bias(host):
    """The output bias of the small model, as small as in Stable Diffusion."""
    return world.small_model().model.diffusion_model.out[-1].bias.detach() * 0.3


def model_with(bias: torch.Tensor):
    model = world.small_model()
    model.model.diffusion_model.out[-1].bias = torch.nn.Parameter(bias, requires_grad=False)
    return model


def fingerprint(bias: torch.Tensor) -> dict[str, str]:
    from appearance_transfer.host.models.fingerprint import fingerprint

    return fingerprint(model_with(bias))


FP8 = (torch.float8_e4m3fn, torch.float8_e5m2)
PRECISIONS = (torch.float32, torch.float16, torch.bfloat16, *FP8)


@pytest.mark.parametrize("one", PRECISIONS)
@pytest.mark.parametrize("other", PRECISIONS)
def test_the_precision_does_not_make_another_checkpoint(bias, one, other) -> None:
    """Also where the weights were rounded twice, by way of fp16."""
    from appearance_transfer.host.models.fingerprint import check_model

    for stored in (bias, bias.half()) if one != other else (bias,):
        assert check_model(fingerprint(stored.to(one)), model_with(bias.to(other)))


@pytest.mark.parametrize("one", PRECISIONS)
@pytest.mark.parametrize("other", PRECISIONS)
def test_other_weights_are_another_checkpoint_in_every_precision(bias, one, other) -> None:
    from appearance_transfer.host.models.fingerprint import check_model

    assert not check_model(fingerprint(bias.to(one)), model_with((bias.flip(0) + 0.1).to(other)))


@pytest.mark.parametrize("precision", [torch.float32, torch.float16, torch.bfloat16])
def test_a_fine_tune_is_told_from_its_base_in_one_precision(bias, precision) -> None:
    from appearance_transfer.host.models.fingerprint import check_model

    tuned = bias.clone()
    tuned[0] *= 1.01
    assert not check_model(fingerprint(bias.to(precision)), model_with(tuned.to(precision)))


@pytest.mark.parametrize("found", ["", "unknown", "abc123", "float32 a b", "int8 1 2 3 4", "load 1", "float32"])
def test_a_fingerprint_from_elsewhere_is_another_checkpoint(bias, found) -> None:
    from appearance_transfer.host.models.fingerprint import check_model

    known = fingerprint(bias) | {"weights": found}
    assert not check_model(known, model_with(bias))


def test_nothing_is_warned_of_where_only_the_precision_differs(bias, caplog) -> None:
    from appearance_transfer.host.transfer.model_patch import check_inversions

    inversion = world.invert(model_with(bias.half().float()), world.latents(1))
    with caplog.at_level(logging.WARNING):
        check_inversions(model_with(bias.half()), [inversion])
    assert "another checkpoint" not in caplog.text


def test_a_pinned_weight_is_unpinned_before_it_is_replaced(host, monkeypatch) -> None:
    """ComfyUI keeps pinned memory by its address, and a freed address that is still registered breaks CUDA."""
    import comfy.model_management
    from appearance_transfer.host.runtime.gradients import autograd_inside

    with torch.inference_mode():
        network = torch.nn.Linear(2, 2)
    addresses = {network.weight.data_ptr()}
    unpinned = []
    monkeypatch.setattr(torch.Tensor, "is_pinned", lambda tensor: tensor.data_ptr() in addresses)
    monkeypatch.setattr(comfy.model_management, "unpin_memory", lambda tensor: unpinned.append(tensor.data_ptr()))
    with torch.inference_mode(), autograd_inside(network):
        assert not network.weight.is_inference()
    assert set(unpinned) == addresses
