"""The change outside of the object, on images for which it is known; and the object alone."""

import pytest
import torch
from appearance_transfer.evaluation.background import background_change, background_lpips
from appearance_transfer.evaluation.heat_map import heat_map
from appearance_transfer.evaluation.masked_crop import GRAY, masked_crop
from appearance_transfer.evaluation.perceptual import load_lpips
from appearance_transfer.tests.evaluation.perceptual_weights import random_weights

STRUCTURE = torch.zeros(2, 4, 4, 3)
MASK = torch.zeros(2, 4, 4)
MASK[:, 1:3, 1:3] = 1


def test_only_what_lies_outside_counts() -> None:
    output = torch.where(MASK[..., None] > 0.5, 1.0, STRUCTURE)
    assert background_change(output, STRUCTURE, MASK).tolist() == [0, 0]
    output[0, 0, 0] = 0.6
    assert background_change(output, STRUCTURE, MASK).tolist() == pytest.approx([0.6 / 12, 0])


def test_a_change_of_everything_is_that_change() -> None:
    assert background_change(STRUCTURE + 0.25, STRUCTURE, MASK).tolist() == pytest.approx([0.25, 0.25])


def test_an_image_without_background_has_no_change() -> None:
    assert background_change(STRUCTURE + 1, STRUCTURE, torch.ones_like(MASK)).tolist() == [0, 0]


class TestLpips:
    @pytest.fixture(scope="class")
    def distance(self):
        return load_lpips(random_weights("alexnet"))

    @pytest.fixture(scope="class")
    def images(self):
        return torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    @pytest.fixture(scope="class")
    def mask(self):
        mask = torch.zeros(2, 64, 64)
        mask[:, 16:48, 16:48] = 1
        return mask

    def test_what_happens_to_the_object_does_not_count(self, distance, images, mask) -> None:
        structure, other = images
        edited = torch.where(mask[:, None] > 0, other, structure)
        values, positions = background_lpips(distance, edited, structure, mask)
        assert values.tolist() == [0, 0]
        assert positions.abs().max() == 0

    def test_it_is_lpips_of_images_with_a_gray_object(self, distance, images, mask) -> None:
        structure, output = (image.clone() for image in images)
        values, _ = background_lpips(distance, output, structure, mask)
        for image in (structure, output):
            image[:, :, 16:48, 16:48] = 0.5
        torch.testing.assert_close(values, distance(output * 2 - 1, structure * 2 - 1))
        assert (values < distance(images[1] * 2 - 1, images[0] * 2 - 1)).all()

    def test_without_an_object_it_is_lpips(self, distance, images, mask) -> None:
        values, _ = background_lpips(distance, *images, 0 * mask)
        torch.testing.assert_close(values, distance(*(images * 2 - 1)))

    def test_without_a_background_it_is_nothing(self, distance, images, mask) -> None:
        mask = torch.stack([mask[0], torch.ones(64, 64)])
        with pytest.raises(ValueError, match="covers a whole image"):
            background_lpips(distance, *images, mask)


def test_a_crop_is_the_square_around_the_object() -> None:
    image, mask = torch.rand(10, 12, 3), torch.zeros(10, 12)
    mask[2:8, 3:5] = 1
    mask[4, 3] = 0
    crop = masked_crop(image, mask)
    assert crop.shape == (6, 6, 3)
    expected = image[2:8, 3:5].clone()
    expected[2, 0] = torch.tensor(GRAY)
    assert torch.equal(crop[:, 2:4], expected)
    assert torch.equal(crop[:, 0], torch.tensor(GRAY).expand(6, 3))
    with pytest.raises(ValueError, match="no object to look at"):
        masked_crop(image, 0 * mask)


def test_heat_grows_from_black_over_red_to_white() -> None:
    colors = heat_map(torch.tensor([[-1.0, 0.0, 1 / 3, 2 / 3, 1.0, 9.0]]))[0]
    expected = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    torch.testing.assert_close(colors, torch.tensor(expected).float(), atol=1e-6, rtol=0)
