"""LPIPS against its formula, from both forms of its weights."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from appearance_transfer.distillation.perceptual import load_lpips

CONVOLUTIONS = {  # number in torchvision's VGG-16 -> channels
    0: (3, 64), 2: (64, 64), 5: (64, 128), 7: (128, 128), 10: (128, 256), 12: (256, 256), 14: (256, 256),
    17: (256, 512), 19: (512, 512), 21: (512, 512), 24: (512, 512), 26: (512, 512), 28: (512, 512),
}  # fmt: skip
READ, POOLED = (2, 7, 14, 21, 28), (2, 7, 14, 21)
SLICE = {0: 1, 2: 1, 5: 2, 7: 2, 10: 3, 12: 3, 14: 3, 17: 4, 19: 4, 21: 4, 24: 5, 26: 5, 28: 5}


def weights(form: str) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    state = {}
    for number, (given, made) in CONVOLUTIONS.items():
        name = f"features.{number}" if form == "torchvision" else f"net.slice{SLICE[number]}.{number}"
        state[f"{name}.weight"] = torch.randn(made, given, 3, 3, generator=random) * (2 / (9 * given)) ** 0.5
        state[f"{name}.bias"] = 0.1 * torch.randn(made, generator=random)
    for place, number in enumerate(READ):
        state[f"lin{place}.model.1.weight"] = torch.rand(1, CONVOLUTIONS[number][1], 1, 1, generator=random)
    return state


def by_hand(state: dict[str, torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    pair = (torch.cat([a, b]) - shift.view(3, 1, 1)) / scale.view(3, 1, 1)
    total = torch.zeros(len(a))
    for number in CONVOLUTIONS:
        pair = F.relu(F.conv2d(pair, state[f"features.{number}.weight"], state[f"features.{number}.bias"], padding=1))
        if number in READ:
            first, second = F.normalize(pair, dim=1, eps=1e-10).chunk(2)
            head = state[f"lin{READ.index(number)}.model.1.weight"]
            total += ((first - second).square() * head).sum(1).mean((1, 2))
        if number in POOLED:
            pair = F.max_pool2d(pair, 2)
    return total


@pytest.mark.parametrize("form", ["torchvision", "lpips"])
def test_it_is_the_formula(form) -> None:
    first, second = (torch.rand(2, 3, 64, 64, generator=torch.Generator().manual_seed(seed)) * 2 - 1 for seed in (1, 2))
    distance = load_lpips(weights(form))
    torch.testing.assert_close(distance(first, second), by_hand(weights("torchvision"), first, second))
    assert distance(first, first).abs().max() == 0


def test_gradients_reach_the_pictures_and_not_the_weights() -> None:
    distance = load_lpips(weights("lpips"))
    made = torch.rand(1, 3, 64, 64, requires_grad=True)
    distance(made, torch.rand(1, 3, 64, 64)).sum().backward()
    assert made.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in distance.parameters())


@pytest.mark.parametrize("lost", ["net.slice1.0.weight", "net.slice5.28.bias", "lin4.model.1.weight"])
def test_other_files_are_refused(lost) -> None:
    state = weights("lpips")
    del state[lost]
    with pytest.raises(ValueError, match="no weights of LPIPS"):
        load_lpips(state)
    with pytest.raises(ValueError, match="no weights of LPIPS"):
        load_lpips({})
