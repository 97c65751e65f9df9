"""The generator against the reference code's tensors, at every size, and its first weights."""

import pytest
import torch
from appearance_transfer.splice.generator import GeneratorConfig, SkipGenerator, check_side, initialize
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden
from appearance_transfer.tests.splice.generators import image, reference_generator
from appearance_transfer.tests.splice.vits import random_images

FILE = "A2_generator_io"


def parameters(generator: SkipGenerator) -> int:
    return sum(parameter.numel() for parameter in generator.parameters())


@pytest.mark.parametrize("name", "ab")
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_it_makes_what_the_released_one_makes(name, mode) -> None:
    """b has odd sides. Statistics are the image's own in every mode."""
    generator = reference_generator("init").train(mode == "train")
    with torch.no_grad():
        found = generator(image(FILE, f"{name}.image_u8"))
    expected = golden(f"splice_{FILE}", f"{name}.output", SPLICE_AND_PIX2PIX_ZERO)
    torch.testing.assert_close(found, expected, atol=1e-5, rtol=0)


def test_its_number_of_parameters() -> None:
    assert parameters(SkipGenerator()) == 1_037_523


def test_the_one_that_inverts_features_has_one_level_more() -> None:
    widths, kernels = (16, 32, 64, 128, 128, 128), (7, 7, 5, 5, 3, 3)
    generator = SkipGenerator(GeneratorConfig(32, widths, kernels, padding="reflect"))
    assert parameters(generator) == 2_606_763
    with torch.no_grad():
        assert generator(torch.randn(1, 32, 224, 150)).shape == (1, 3, 224, 150)


@pytest.mark.parametrize("size", [(64, 64), (97, 33), (65, 129), (64, 513)])
@torch.no_grad()
def test_the_output_has_the_size_of_the_input(size) -> None:
    assert SkipGenerator()(random_images(*size)).shape == (1, 3, *size)


@torch.no_grad()
def test_images_of_a_batch_do_not_see_each_other() -> None:
    generator, images = SkipGenerator().double(), random_images(64, 80, images=2).double()
    initialize(generator, 0)
    torch.testing.assert_close(generator(images)[1:], generator(images[1:]))


@torch.no_grad()
def test_at_first_it_paints_gray() -> None:
    """The reference code: mean 0.499, deviation 0.0036; the level depends on the draw by some thousandths."""
    generator = SkipGenerator()
    outputs = []
    for seed in range(4):
        initialize(generator, seed)
        outputs.append(generator(random_images(96, 128)))
    gray = torch.stack(outputs)
    assert gray.mean().item() == pytest.approx(0.5, abs=0.005)
    assert 0.002 < gray.std(dim=(1, 2, 3, 4)).mean() < 0.008
    initialize(generator, 3)
    assert torch.equal(generator(random_images(96, 128)), outputs[3])


def test_the_first_weights_have_the_deviations_of_the_released_code() -> None:
    generator = SkipGenerator()
    initialize(generator, 0)
    wide = generator.levels.coarser.coarser.coarser.coarser.up[0][0].weight  # 132 -> 128 channels, 3 x 3
    assert wide.std().item() == pytest.approx(0.02 * (2 / (9 * (132 + 128))) ** 0.5, rel=0.02)
    scales = torch.cat([p for name, p in generator.named_parameters() if p.ndim == 1 and name.endswith("weight")])
    assert scales.mean().item() == pytest.approx(1, abs=0.003)
    assert scales.std().item() == pytest.approx(0.02, rel=0.1)
    assert not any(p.any() for name, p in generator.named_parameters() if name.endswith("bias"))


def test_it_draws_from_no_global_generator() -> None:
    torch.manual_seed(7)
    before = torch.get_rng_state()
    generator = SkipGenerator()
    torch.set_rng_state(before)
    initialize(generator, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_too_small_an_image_is_refused() -> None:
    check_side(torch.zeros(1, 3, 64, 64), "structure image")
    with pytest.raises(ValueError, match="structure image has 100 x 63 pixels"):
        check_side(torch.zeros(1, 3, 63, 100), "structure image")
