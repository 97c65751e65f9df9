"""The generator against the released code's tensors, at every size, and its first weights."""

import pytest
import torch
from appearance_transfer.splice.generator import Architecture, SkipGenerator, check_side, initialise
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden
from appearance_transfer.tests.splice.generators import official_generator, picture
from appearance_transfer.tests.splice.vits import random_pictures

FILE = "A2_generator_io"


def parameters(generator: SkipGenerator) -> int:
    return sum(parameter.numel() for parameter in generator.parameters())


@pytest.mark.parametrize("name", "ab")
@pytest.mark.parametrize("mode", ["train", "eval"])
def test_it_makes_what_the_released_one_makes(name, mode) -> None:
    """b has odd sides. Statistics are the picture's own in every mode."""
    generator = official_generator("init").train(mode == "train")
    with torch.no_grad():
        found = generator(picture(FILE, f"{name}.image_u8"))
    wanted = golden(f"splice_{FILE}", f"{name}.output", SPLICE_AND_PIX2PIX_ZERO)
    torch.testing.assert_close(found, wanted, atol=1e-5, rtol=0)


def test_its_number_of_parameters() -> None:
    assert parameters(SkipGenerator()) == 1_037_523


def test_the_one_that_inverts_features_has_one_level_more() -> None:
    widths, kernels = (16, 32, 64, 128, 128, 128), (7, 7, 5, 5, 3, 3)
    generator = SkipGenerator(Architecture(32, widths, kernels, padding="reflect"))
    assert parameters(generator) == 2_606_763
    with torch.no_grad():
        assert generator(torch.randn(1, 32, 224, 150)).shape == (1, 3, 224, 150)


@pytest.mark.parametrize("size", [(64, 64), (97, 33), (65, 129), (64, 513)])
@torch.no_grad()
def test_the_output_has_the_size_of_the_input(size) -> None:
    assert SkipGenerator()(random_pictures(*size)).shape == (1, 3, *size)


@torch.no_grad()
def test_pictures_of_a_batch_do_not_see_each_other() -> None:
    generator, pictures = SkipGenerator(), random_pictures(64, 80, pictures=2)
    torch.testing.assert_close(generator(pictures)[1:], generator(pictures[1:]))


@torch.no_grad()
def test_at_first_it_paints_grey() -> None:
    """The released code: mean 0.499, deviation 0.0036; the level depends on the draw by some thousandths."""
    generator = SkipGenerator()
    outputs = []
    for seed in range(4):
        initialise(generator, seed)
        outputs.append(generator(random_pictures(96, 128)))
    grey = torch.stack(outputs)
    assert grey.mean().item() == pytest.approx(0.5, abs=0.005)
    assert 0.002 < grey.std(dim=(1, 2, 3, 4)).mean() < 0.008
    initialise(generator, 3)
    assert torch.equal(generator(random_pictures(96, 128)), outputs[3])


def test_the_first_weights_have_the_deviations_of_the_released_code() -> None:
    generator = SkipGenerator()
    initialise(generator, 0)
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
    initialise(generator, 0)
    assert torch.equal(torch.get_rng_state(), before)


def test_too_small_a_picture_is_refused() -> None:
    check_side(torch.zeros(1, 3, 64, 64), "structure picture")
    with pytest.raises(ValueError, match="structure picture has 100 x 63 pixels"):
        check_side(torch.zeros(1, 3, 63, 100), "structure picture")
