"""Generator and discriminator as wholes: shapes, sizes, what depends on what, and the gradient penalty."""

import pytest
import torch
from appearance_transfer.distillation.architecture import EditorConfig
from appearance_transfer.distillation.discriminator import Discriminator
from appearance_transfer.distillation.generator import Generator
from appearance_transfer.distillation.losses import (
    EditorLossWeights,
    discriminator_loss,
    generator_terms,
    gradient_penalty,
)

NARROW = EditorConfig(64, 1 / 32)


def parameters(network: torch.nn.Module) -> int:
    return sum(parameter.numel() for parameter in network.parameters())


@pytest.mark.parametrize("size", [64, 128, 256])
def test_shapes(size) -> None:
    architecture = EditorConfig(size, 1 / 64)
    images, z = torch.randn(2, 3, size, size), torch.randn(2, architecture.style)
    output = Generator(architecture)(images, z)
    assert output.shape == images.shape
    assert Discriminator(architecture)(output, images).shape == (2,)


def test_channels_of_the_reference() -> None:
    reference = EditorConfig(512)
    assert [reference.channels(r - 1) for r in range(9, 1, -1)] == [64, 128, 256, 512, 512, 512, 512, 512]
    assert (reference.style, reference.code) == (512, 1024)


def by_hand(r: int) -> tuple[int, int]:
    """Numbers of the reference's networks at 2^r pixels, summed layer by layer from its description."""

    def nf(k: int) -> int:
        return min(512, 16384 // 2**k)

    def conv(in_channels: int, out_channels: int, kernel: int) -> int:
        return in_channels * out_channels * kernel**2 + out_channels

    def styled(in_channels: int, out_channels: int, kernel: int = 3) -> int:
        return conv(in_channels, out_channels, kernel) + (1536 * in_channels + in_channels)

    stages = range(r, 2, -1)
    encoder = conv(3, nf(r - 1), 1) + conv(512, 512, 3) + (8192 * 1024 + 1024)
    encoder += sum(conv(nf(s - 1), nf(s - 1), 3) + conv(nf(s - 1), nf(s - 2), 3) for s in stages)
    synthesis = 8 * (512 * 512 + 512) + (1024 * 8192 + 8192) + styled(512, 512) + 1 + styled(512, 3, 1)
    synthesis += sum(
        styled(nf(s - 2), nf(s - 1)) + styled(nf(s - 1), nf(s - 1)) + 2 + styled(nf(s - 1), 3, 1) for s in stages
    )
    classifier = conv(6, nf(r - 1), 1) + conv(513, 512, 3) + (8192 * 512 + 512) + 513
    classifier += sum(
        conv(nf(s - 1), nf(s - 1), 3) + conv(nf(s - 1), nf(s - 2), 3) + nf(s - 1) * nf(s - 2) for s in stages
    )
    return encoder + synthesis, classifier


@pytest.mark.parametrize("size", [64, 128, 256, 512])
def test_parameter_counts_of_the_reference(size) -> None:
    with torch.device("meta"):
        found = parameters(Generator(EditorConfig(size))), parameters(Discriminator(EditorConfig(size)))
    assert found == by_hand(size.bit_length() - 1)


@pytest.mark.parametrize("wrong", [{"size": 100}, {"size": 32}, {"width": 0.0}, {"width": 1.5}])
def test_other_architectures_are_refused(wrong) -> None:
    with pytest.raises(ValueError, match="distilled editor"):
        EditorConfig(**wrong)


def test_the_edit_hangs_on_every_position_of_the_image_and_on_the_noise() -> None:
    generator = Generator(NARROW).eval()
    images, z = torch.randn(1, 3, 64, 64), torch.randn(2, NARROW.style)
    with torch.no_grad():
        plain = generator(images, z[:1])
        for position in ((0, 0), (40, 63)):
            changed = images.clone()
            changed[0, :, *position] += 10
            assert not torch.allclose(generator(changed, z[:1]), plain)
        assert not torch.allclose(generator(images, z[1:]), plain)
        torch.testing.assert_close(generator(images, z[:1]), plain, rtol=0, atol=0)  # nothing else is drawn


def test_half_of_the_code_is_dropped_in_training_only() -> None:
    encoder = Generator(NARROW).encoder
    images = torch.randn(4, 3, 64, 64)
    _, dropped = encoder.train()(images)
    _, whole = encoder.eval()(images)
    kept = dropped != 0
    assert 0.3 < kept.float().mean() < 0.7
    torch.testing.assert_close(dropped[kept], 2 * whole[kept])


def test_the_discriminator_sees_edit_and_original() -> None:
    discriminator = Discriminator(NARROW)
    edits, originals = torch.randn(2, 4, 3, 64, 64)
    scores = discriminator(edits, originals)
    assert not torch.allclose(discriminator(-edits, originals), scores)
    assert not torch.allclose(discriminator(edits, -originals), scores)


def test_the_penalty_is_the_squared_slope_by_finite_differences() -> None:
    discriminator = Discriminator(NARROW).double()
    edits, originals = (torch.randn(1, 3, 64, 64, dtype=torch.float64) for _ in range(2))
    point = torch.stack([edits, originals]).requires_grad_()
    (gradient,) = torch.autograd.grad(discriminator(*point).sum(), point)
    direction, step = gradient / gradient.norm(), 1e-5
    with torch.no_grad():
        ahead, behind = (discriminator(*(point + sign * step * direction)).item() for sign in (1, -1))
    along = (ahead - behind) / (2 * step)  # along the steepest direction, this is the slope's length
    assert gradient_penalty(discriminator, edits, originals).item() == pytest.approx(5 * along**2, rel=1e-5)


def test_the_slope_of_the_penalty_by_finite_differences() -> None:
    discriminator = Discriminator(NARROW).double()
    edits, originals = (torch.randn(2, 3, 64, 64, dtype=torch.float64) for _ in range(2))
    weight = discriminator.first.weight
    (gradient,) = torch.autograd.grad(gradient_penalty(discriminator, edits, originals), weight)
    position = torch.unravel_index(gradient.abs().argmax(), gradient.shape)
    values = []
    for step in (1e-6, -1e-6):
        with torch.no_grad():
            weight[position] += step
        values.append(gradient_penalty(discriminator, edits, originals).item())
        with torch.no_grad():
            weight[position] -= step
    assert gradient[position].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-4)


def test_losses_by_hand() -> None:
    zero, output = torch.zeros(2), torch.zeros(2, 3, 4, 4)
    terms = generator_terms(zero, output, output + 0.5, lambda a, b: (a - b).square().mean((1, 2, 3)))
    log2 = torch.tensor(2.0).log().item()
    assert {name: term.item() for name, term in terms.items()} == pytest.approx(
        {"adversarial": log2, "pixel": 0.5, "perceptual": 0.25}
    )
    assert EditorLossWeights().total(terms).item() == pytest.approx(0.5 * log2 + 0.5 + 5 * 0.25)
    assert "perceptual" not in generator_terms(zero, output, output, None)
    assert discriminator_loss(zero, zero).item() == pytest.approx(2 * log2)
    assert discriminator_loss(zero - 9, zero + 9).item() < 1e-3 < discriminator_loss(zero + 9, zero - 9).item()
