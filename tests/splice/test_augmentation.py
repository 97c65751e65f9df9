"""The crops: how large, where, how often flipped, colored and blurred; drawn from the seed alone."""

import numpy as np
import pytest
import torch
from appearance_transfer.splice import augmentation
from appearance_transfer.splice.augmentation import Crops, blurred, flipped, jittered, random_crop, to_pillow
from appearance_transfer.tests.splice.vits import random_images
from PIL import Image

DRAWS = 600


@pytest.fixture(scope="module")
def noise() -> Image.Image:
    return to_pillow(random_images(70, 90))


def drawn(change, image, draws=DRAWS):
    return [change(image, np.random.default_rng((0, step))) for step in range(draws)]


def fraction_changed(change, image) -> float:
    original = image.tobytes()
    return np.mean([other.tobytes() != original for other in drawn(change, image)])


@pytest.mark.parametrize(
    ("change", "rate"), [(flipped, 0.5), (jittered, 0.5), (blurred, 0.2)], ids=["flip", "colors", "blur"]
)
def test_how_often(noise, change, rate) -> None:
    assert fraction_changed(change, noise) == pytest.approx(rate, abs=4 * (rate * (1 - rate) / DRAWS) ** 0.5)


def test_a_flip_is_a_mirror_image(noise) -> None:
    mirrored = np.asarray(noise)[:, ::-1]
    assert all(
        np.array_equal(other, noise) or np.array_equal(other, mirrored) for other in drawn(flipped, noise, draws=8)
    )


@pytest.mark.parametrize(
    ("height", "width", "sides"),
    [(200, 250, range(190, 201)), (200, 195, range(190, 196)), (200, 100, [100]), (64, 64, range(61, 65))],
    ids=["landscape", "nearly square", "portrait", "smallest"],
)
def test_crops_are_squares_of_nearly_the_whole_height(height, width, sides) -> None:
    rows, columns = np.mgrid[:height, :width]
    positions = Image.fromarray(np.stack([rows, columns, 0 * rows], -1).astype(np.uint8))
    crops = [np.asarray(crop) for crop in drawn(random_crop, positions)]
    assert {crop.shape[0] for crop in crops} == {crop.shape[1] for crop in crops} == set(sides)
    for size, axis in ((height, 0), (width, 1)):
        assert min(crop[0, 0, axis] for crop in crops) == 0
        assert max(crop[-1, -1, axis] for crop in crops) == size - 1


@pytest.mark.parametrize("channel", range(3))
def test_a_hue_turns_and_comes_back(channel) -> None:
    """A third of the circle makes the next pure color of one; gray has no hue."""
    color = [0, 0, 0]
    color[channel] = 255
    pure = Image.new("RGB", (2, 2), tuple(color))
    flipped = augmentation._shifted_hue(pure, 1 / 3).getpixel((0, 0))
    assert flipped[(channel + 1) % 3] == 255
    assert max(flipped[channel], flipped[(channel + 2) % 3]) < 8
    gray = Image.new("RGB", (2, 2), (99, 99, 99))
    assert augmentation._shifted_hue(gray, -0.1).getpixel((0, 0)) == (99, 99, 99)


def test_blur_is_a_gaussian_of_three_pixels() -> None:
    dot = Image.fromarray(np.pad(np.full((1, 1, 3), 255, np.uint8), ((3, 3), (3, 3), (0, 0))))
    spread = next(other for other in drawn(blurred, dot) if other.tobytes() != dot.tobytes())
    rows, columns = np.nonzero(np.asarray(spread)[..., 0])
    assert {*rows} | {*columns} <= {2, 3, 4}
    assert np.array_equal(np.asarray(spread), np.asarray(spread).transpose(1, 0, 2))


def test_the_appearance_keeps_its_colors() -> None:
    structure, appearance = random_images(64, 64), (random_images(64, 64, seed=1) * 255).round() / 255
    known = {tuple(pixel) for pixel in (appearance[0] * 255).round().to(torch.uint8).flatten(1).T.tolist()}
    for step in range(20):
        crop = Crops(structure, appearance, seed=0)(step)[1]
        assert {tuple(pixel) for pixel in (crop[0] * 255).round().to(torch.uint8).flatten(1).T.tolist()} <= known


def test_a_step_has_its_own_numbers_whenever_it_is_drawn() -> None:
    images = random_images(64, 80), random_images(70, 64, seed=1)
    forth = [Crops(*images, seed=5)(step) for step in range(4)]
    crops = Crops(*images, seed=5)
    back = [crops(step) for step in reversed(range(4))][::-1]
    for (structure, appearance), (structure_again, appearance_again) in zip(forth, back, strict=True):
        assert torch.equal(structure, structure_again)
        assert torch.equal(appearance, appearance_again)
    other = [Crops(*images, seed=6)(step) for step in range(4)]
    assert any(a[0].shape != b[0].shape or not torch.equal(a[0], b[0]) for a, b in zip(forth, other, strict=True))


def test_no_global_generator_is_touched() -> None:
    torch_before, numpy_before = torch.get_rng_state(), np.random.get_state()[1].copy()  # noqa: NPY002
    Crops(random_images(64, 64), random_images(64, 64), seed=0)(0)
    assert torch.equal(torch.get_rng_state(), torch_before)
    assert np.array_equal(np.random.get_state()[1], numpy_before)  # noqa: NPY002


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_crops_have_the_precision_of_the_images(dtype) -> None:
    images = random_images(64, 64).to(dtype)
    assert all(crop.dtype == dtype and 0 <= crop.min() <= crop.max() <= 1 for crop in Crops(images, images, 0)(0))
