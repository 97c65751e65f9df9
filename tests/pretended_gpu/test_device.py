"""The pretended GPU itself: that it gives the numbers of the CPU, and errors where CUDA has them."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.tests.pretended_gpu.device import PretendedTensor, on_gpu
from torch import Tensor, nn


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(nn.Conv2d(3, 4, 3), nn.GroupNorm(2, 4), nn.SiLU(), nn.Flatten(), nn.Linear(144, 5))


@pytest.fixture
def there() -> Tensor:
    """A tensor on the GPU."""
    return torch.arange(6.0, device="cuda").reshape(2, 3)


def test_it_says_where_it_is(there) -> None:
    assert there.device == torch.device("cuda:0")
    assert there.is_cuda
    assert not there.is_meta
    assert there.cpu().device.type == "cpu"
    assert torch.equal(there.cpu(), torch.arange(6.0).reshape(2, 3))
    assert there.to("cuda") is there


@pytest.mark.parametrize(
    "make",
    [
        lambda: torch.zeros(2, device="cuda"),
        lambda: torch.tensor([0.0, 0.0], device="cuda"),
        lambda: torch.as_tensor([0.0, 0.0], device=torch.device("cuda", 0)),
        lambda: torch.zeros(2).to("cuda"),
        lambda: torch.zeros(2).cuda(),
        lambda: torch.ones(1, device="cuda").new_tensor([0.0, 0.0]),
        lambda: torch.ones(1, device="cuda").new_zeros(2),
        lambda: torch.zeros_like(torch.ones(2), device="cuda"),
    ],
)
@pytest.mark.parametrize("inference", [False, True])
def test_all_ways_to_make_one(make, inference: bool) -> None:
    with torch.inference_mode(inference):
        tensor = make()
    assert tensor.device.type == "cuda"
    assert tensor.tolist() == [0.0, 0.0]


def test_a_network_and_its_gradients_are_those_of_the_cpu() -> None:
    here, there = network(), network().to("cuda")
    images = torch.randn(2, 3, 8, 8)
    for model in (here, there):
        loss = model(images.to(model[0].weight.device)).square().mean()
        loss.backward()
        torch.optim.Adam(model.parameters()).step()
    assert there[0].weight.device.type == there[0].weight.grad.device.type == "cuda"
    for mine, theirs in zip(there.parameters(), here.parameters(), strict=True):
        assert torch.allclose(mine.detach().cpu(), theirs, atol=1e-6)


def test_views_share_their_memory(there) -> None:
    there[0].add_(1)
    there[1, [0, 2]] = 9.0
    assert there.tolist() == [[1.0, 2.0, 3.0], [9.0, 4.0, 9.0]]


@pytest.mark.parametrize(
    "mixed",
    [
        lambda x: x + torch.ones(2, 3),
        lambda x: torch.ones(2, 3).add_(x),
        lambda x: x @ torch.ones(3, 1),
        lambda x: torch.cat([x, torch.ones(1, 3)]),
        lambda x: torch.stack([x[0, 0], torch.tensor(1.0)]),
        lambda x: torch.where(torch.ones(2, 3) > 0, x, 0.0),
        lambda x: nn.functional.linear(x, torch.ones(4, 3)),
        lambda x: torch.ones(3)[x[0].long()],
        lambda x: x.index_select(0, torch.tensor([0])),
        lambda x: x.masked_fill(torch.ones(2, 3) > 0, 0.0),
        lambda x: x.normal_(generator=torch.Generator()),
        lambda x: torch.randn(2, device="cuda", generator=torch.Generator()),
    ],
)
@pytest.mark.parametrize("inference", [False, True])
def test_what_cuda_refuses(there, mixed, inference: bool) -> None:
    with torch.inference_mode(inference), pytest.raises(RuntimeError, match="device"):
        mixed(there.clone())


@pytest.mark.parametrize(
    "meeting",
    [
        lambda x: x * torch.tensor(2.0),
        lambda x: x[torch.tensor([1])],
        lambda x: x[torch.ones(2, 3) > 0],
        lambda x: x.clone().copy_(torch.ones(2, 3)),
        lambda x: torch.where(x > 0, x, torch.tensor(0.0)),
    ],
)
def test_what_cuda_takes(there, meeting) -> None:
    assert meeting(there).device.type == "cuda"


def test_numpy_wants_it_moved(there) -> None:
    with pytest.raises(TypeError, match=r"Tensor\.cpu\(\)"):
        there.numpy()


def test_inference_tensors_are_not_for_autograd() -> None:
    with torch.inference_mode():
        x = torch.ones(2, device="cuda")
    weight = torch.ones(2, device="cuda", requires_grad=True)
    with pytest.raises(RuntimeError, match="Inference tensors cannot be saved for backward"):
        (weight * x[:]).sum()
    with torch.inference_mode():
        assert not weight.detach()[0].is_inference()


def test_it_draws_numbers_of_its_own() -> None:
    torch.manual_seed(0)
    alone = torch.rand(2)
    torch.manual_seed(0)
    there = torch.rand(2, device="cuda")
    assert torch.equal(torch.rand(2), alone)
    torch.manual_seed(0)
    assert torch.equal(torch.rand(2, device="cuda").cpu(), there.cpu())


def test_what_is_there_is_counted() -> None:
    held = torch.ones(3, 7, device="cuda")
    assert [tensor.shape for tensor in on_gpu() if tensor.shape == held.shape] == [held.shape]
    assert isinstance(held, PretendedTensor)
    del held
    assert all(tensor.shape != (3, 7) for tensor in on_gpu())
