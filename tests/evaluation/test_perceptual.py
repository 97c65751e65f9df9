"""LPIPS against its formula, through each network and from both forms of its weights."""

import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from appearance_transfer.evaluation.backbone import load_backbone
from appearance_transfer.evaluation.perceptual import has_heads, load_lpips
from appearance_transfer.tests.evaluation.perceptual_weights import CONVOLUTIONS, SLICES, random_weights
from torchvision.models import alexnet, vgg16, vgg19

READ = {network: [numbers[-1] for numbers in slices] for network, slices in SLICES.items()}
POOLED = {"vgg16": {2: 2, 7: 2, 14: 2, 21: 2}, "alexnet": {0: 3, 3: 3}}  # after this layer, over so many pixels


def by_hand(network: str, state: dict[str, torch.Tensor], a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """LPIPS of images in -1..1, from a state in torchvision's names."""
    shift, scale = torch.tensor([-0.030, -0.088, -0.188]), torch.tensor([0.458, 0.448, 0.450])
    pair = (torch.cat([a, b]) - shift.view(3, 1, 1)) / scale.view(3, 1, 1)
    total = torch.zeros(len(a))
    for number, (*_, side) in CONVOLUTIONS[network].items():
        weight, bias = state[f"features.{number}.weight"], state[f"features.{number}.bias"]
        how = {"stride": 4, "padding": 2} if side == 11 else {"padding": side // 2}
        pair = F.relu(F.conv2d(pair, weight, bias, **how))
        if number in READ[network]:
            first, second = F.normalize(pair, dim=1, eps=1e-10).chunk(2)
            head = state[f"lin{READ[network].index(number)}.model.1.weight"]
            total += ((first - second).square() * head).sum(1).mean((1, 2))
        if number in POOLED[network]:
            pair = F.max_pool2d(pair, POOLED[network][number], stride=2)
    return total


def images(seed: int, *shape: int) -> torch.Tensor:
    """In -1..1."""
    return torch.rand(*(shape or (2, 3, 64, 48)), generator=torch.Generator().manual_seed(seed)) * 2 - 1


@pytest.fixture(scope="module")
def distance():
    return load_lpips(random_weights("alexnet"))


@pytest.mark.parametrize("network", CONVOLUTIONS)
@pytest.mark.parametrize("form", ["torchvision", "lpips"])
def test_it_is_the_formula(network, form) -> None:
    first, second = images(1), images(2)
    found = load_lpips(random_weights(network, form))(first, second)
    expected = by_hand(network, random_weights(network, "torchvision"), first, second)
    torch.testing.assert_close(found, expected, atol=1e-6, rtol=1e-6)


@pytest.mark.parametrize(("build", "name"), [(vgg16, "VGG-16"), (vgg19, "VGG-19"), (alexnet, "AlexNet")])
def test_the_network_is_torchvisions(build, name) -> None:
    """Each block's last layer; where torchvision pools once more, what it pools."""
    theirs = build()
    ours = load_backbone(theirs.state_dict())
    image = images(3, 1, 3, 64, 64)
    *_, last = ours(image)
    values = (image - ours.shift) / ours.scale
    for layer in list(theirs.features)[:-1]:  # without the last pooling
        values = layer(values)
    assert ours.architecture.name == name
    torch.testing.assert_close(last[-1], values)
    small = ours.architecture.smallest
    assert all(layer.numel() for block in ours(image[..., :small]) for layer in block)
    with pytest.raises(ValueError, match=f"which needs {small} at least"):
        next(ours(image[..., : small - 1]))


def test_it_is_a_distance(distance) -> None:
    first, second = images(1), images(2)
    assert distance(first, first).abs().max() == 0
    assert torch.equal(distance(first, second), distance(second, first))
    noise = images(4)
    far = torch.stack([distance(first, first + amount * noise) for amount in (0.05, 0.1, 0.2, 0.4)])
    assert (far.diff(dim=0) > 0).all()


def test_positions_show_where_it_differs(distance) -> None:
    first = images(5, 1, 3, 128, 128)
    second = first.clone()
    second[..., :32, :32] *= -1
    value, positions = distance.with_positions(first, second)
    assert positions.shape == (1, 128, 128)
    assert positions[..., :32, :32].mean() > 10 * positions[..., 96:, 96:].mean()
    assert value == distance(first, second)
    assert float(positions.mean()) == pytest.approx(float(value), rel=0.2)


def test_gradients_reach_the_images_and_not_the_weights(distance) -> None:
    generated = torch.rand(1, 3, 64, 64, requires_grad=True)
    distance(generated, torch.rand(1, 3, 64, 64)).sum().backward()
    assert generated.grad.abs().sum() > 0
    assert not any(parameter.requires_grad for parameter in distance.parameters())


class TestFiles:
    @pytest.mark.parametrize("lost", ["net.slice1.0.weight", "net.slice5.10.bias", "lin4.model.1.weight"])
    def test_a_missing_weight(self, lost) -> None:
        state = random_weights("alexnet")
        del state[lost]
        with pytest.raises(ValueError, match="no weights of LPIPS .* is missing"):
            load_lpips(state)

    def test_a_foreign_file(self) -> None:
        with pytest.raises(ValueError, match="0 convolutions are no VGG-16"):
            load_lpips({})

    def test_a_shape_and_a_number_that_cannot_be(self) -> None:
        state = random_weights("alexnet")
        with pytest.raises(ValueError, match=r"has the shape \[64\] in the place of"):
            load_lpips(state | {"net.slice1.0.weight": torch.zeros(64)})
        state["lin2.model.1.weight"][0, 0] = torch.nan
        with pytest.raises(ValueError, match="is not finite"):
            load_lpips(state)

    @pytest.mark.parametrize("dtype", [torch.int32, torch.uint8, torch.bool, torch.complex64, torch.float8_e4m3fn])
    def test_what_are_no_weights(self, dtype) -> None:
        state = random_weights("alexnet")
        with pytest.raises(ValueError, match="lin2.model.1.weight has numbers of the type"):
            load_lpips(state | {"lin2.model.1.weight": torch.ones(1, 384, 1, 1).to(dtype)})

    def test_a_weight_that_is_there_twice(self) -> None:
        state = random_weights("alexnet")
        with pytest.raises(ValueError, match="the bias of convolution 0 is there twice"):
            load_lpips(state | {"features.0.bias": torch.zeros(64)})

    def test_a_network_without_heads(self) -> None:
        assert has_heads(random_weights("alexnet"))
        state = alexnet().state_dict()
        assert not has_heads(state)
        with pytest.raises(ValueError, match="no weights of LPIPS"):
            load_lpips(state)
