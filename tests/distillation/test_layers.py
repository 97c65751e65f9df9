"""The layers against their definitions: scipy's resampling, a kernel per image, hand-made statistics."""

import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F  # noqa: N812
from appearance_transfer.distillation.discriminator import with_deviation
from appearance_transfer.distillation.layers import Convolution, Linear, ModulatedConvolution, StyledLayer, activated
from appearance_transfer.distillation.mapping import Mapping
from appearance_transfer.distillation.resampling import TAPS, smoothed, upsampled
from scipy.signal import convolve2d, upfirdn

TAP = np.array(TAPS) / sum(TAPS)


def random(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def up_by_scipy(values: np.ndarray) -> np.ndarray:
    for axis in (0, 1):
        values = upfirdn(2 * TAP, values, up=2, axis=axis)
    return values[1:-1, 1:-1]


def test_smoothing_is_scipy_s_convolution_with_a_filter_that_sums_to_the_gain() -> None:
    values = random(2, 3, 6, 8)
    found = smoothed(values, padding=2, gain=3.0)
    assert found.shape == (2, 3, 7, 9)
    expected = convolve2d(np.pad(values[1, 2], 2), 3 * np.outer(TAP, TAP), mode="valid")
    torch.testing.assert_close(found[1, 2], torch.from_numpy(expected))
    assert float(smoothed(torch.ones(1, 1, 9, 9), padding=0, gain=3.0)[0, 0, 2, 2]) == pytest.approx(3.0)
    torch.testing.assert_close(smoothed(values, padding=1, stride=2), smoothed(values, padding=1)[..., ::2, ::2])


def test_upsampling_is_scipy_s() -> None:
    values = random(2, 3, 5, 7)
    found = upsampled(values)
    assert found.shape == (2, 3, 10, 14)
    torch.testing.assert_close(found[1, 2], torch.from_numpy(up_by_scipy(values[1, 2].numpy())))
    torch.testing.assert_close(upsampled(torch.ones(1, 1, 6, 6))[..., 2:-2, 2:-2], torch.ones(1, 1, 8, 8))


@pytest.mark.parametrize("kernel", [1, 3])
def test_halving_is_smoothing_then_every_second_position(kernel) -> None:
    layer = Convolution(3, 4, kernel, halve=True).double()
    values = random(2, 3, 8, 12)
    found = layer(values)
    assert found.shape == (2, 4, 4, 6)
    padding = {1: 1, 3: 2}[kernel]
    whole = F.conv2d(smoothed(values, padding), layer.weight * layer.scale, layer.bias)
    torch.testing.assert_close(found, whole[..., ::2, ::2])


@pytest.mark.parametrize(
    ("layer", "values"),
    [(Linear(400, 300), torch.randn(64, 400)), (Convolution(40, 50, 3), torch.randn(8, 40, 20, 20))],
)
def test_equalized_weights_keep_the_variance(layer, values) -> None:
    """Weights of N(0, 1), whatever the layer, and outputs of variance 1 (inside of the zeros around an image)."""
    assert layer.weight.std().item() == pytest.approx(1, rel=0.05)
    inner = (slice(None), slice(None), *[slice(1, -1)] * (values.ndim - 2))
    assert layer(values)[inner].std().item() == pytest.approx(1, rel=0.1)


def test_a_slow_layer_starts_like_another_and_learns_less() -> None:
    """An update of the same length moves what comes out a hundredth as far."""
    values = random(16, 400)
    moved = {}
    for rate in (1.0, 0.01):
        layer = Linear(400, 300, rate).double()
        before = layer(values)
        assert before.std().item() == pytest.approx(1, rel=0.1)
        with torch.no_grad():
            layer.weight += 1
            layer.bias += 1
        moved[rate] = layer(values) - before
    torch.testing.assert_close(moved[0.01], 0.01 * moved[1.0])


@pytest.mark.parametrize("demodulate", [True, False])
@pytest.mark.parametrize("double", [True, False])
def test_modulation_is_a_kernel_per_image(double, demodulate) -> None:
    layer = ModulatedConvolution(3, 4, 3, 5, double=double, demodulate=demodulate).double()
    values, style = random(2, 3, 6, 6), random(2, 5, seed=1)
    found = layer(values, style)
    for row in range(2):
        factors = layer.affine(style[row : row + 1])[0] + 1
        kernel = layer.weight / math.sqrt(27) * factors[None, :, None, None]
        if demodulate:
            kernel = kernel / (kernel.square().sum((1, 2, 3), keepdim=True) + 1e-8).sqrt()
            torch.testing.assert_close(kernel.square().sum((1, 2, 3)), torch.ones(4).double())
        if double:
            spread = F.conv_transpose2d(values[row : row + 1], kernel.transpose(0, 1), stride=2)
            expected = smoothed(spread, padding=1, gain=4.0)
        else:
            expected = F.conv2d(values[row : row + 1], kernel, padding=1)
        torch.testing.assert_close(found[row : row + 1], expected)


def test_one_style_serves_all_images() -> None:
    layer = ModulatedConvolution(3, 4, 3, 5).double()
    values, style = random(2, 3, 6, 6), random(1, 5)
    torch.testing.assert_close(layer(values, style), layer(values, style.expand(2, -1)))


def test_noise_starts_silent_and_is_shared_when_applied() -> None:
    layer = StyledLayer(3, 3, 5)
    values, style = torch.randn(1, 3, 6, 6).expand(2, -1, -1, -1), torch.randn(1, 5)
    torch.testing.assert_close(layer(values, style), layer(values, style), rtol=0, atol=0)
    layer.strength.data.fill_(1)
    learning = layer(values, style)
    assert not torch.allclose(learning[0], learning[1])
    applied = layer.eval()(values, style)
    assert torch.equal(applied[0], applied[1])


def test_activation() -> None:
    torch.testing.assert_close(activated(torch.tensor([-1.0, 2.0])), math.sqrt(2) * torch.tensor([-0.2, 2.0]))
    assert activated(random(100_000)).square().mean() == pytest.approx(1.04, rel=0.02)


def test_mapping_does_not_see_the_length_of_the_noise() -> None:
    mapping = Mapping(16).double()
    z = random(4, 16)
    torch.testing.assert_close(mapping(3 * z), mapping(z))


def test_variation_goes_from_the_mean_style_to_the_drawn_one() -> None:
    mapping = Mapping(16).double()
    z = random(4, 16)
    mean = mapping.mean(z)
    torch.testing.assert_close(mapping(z, 0.0), mean.expand(4, -1))
    torch.testing.assert_close(mapping(z, 0.25), mean + 0.25 * (mapping(z) - mean))
    drawn = mapping(random(20_000, 16, seed=5)).mean(0, keepdim=True)
    assert (mean - drawn).norm() < 0.1 * drawn.norm()


def test_deviation_within_groups_by_hand() -> None:
    """Eight images of one position: 0, 2, 4, 6 are one group, 1, 3, 5, 7 the other."""
    values = torch.tensor([0.0, 5, 0, 5, 4, 5, 4, 5], dtype=torch.float64).view(8, 1, 1, 1).expand(8, 2, 3, 3)
    added = with_deviation(values)
    assert added.shape == (8, 3, 3, 3)
    torch.testing.assert_close(added[:, :2], values)
    assert added[::2, 2].unique().tolist() == pytest.approx([2.0])
    assert added[1::2, 2].unique().tolist() == pytest.approx([1e-4])  # the square root of the 1e-8 that keeps it smooth


@pytest.mark.parametrize("count", [1, 2, 3, 6])
def test_numbers_that_are_no_multiple_of_four(count) -> None:
    assert with_deviation(torch.randn(count, 2, 4, 4)).shape == (count, 3, 4, 4)
