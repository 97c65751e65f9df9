"""The change outside of the object, on pictures for which it is known; and the object alone."""

import pytest
import torch
from appearance_transfer.evaluation.background import background_change, background_lpips
from appearance_transfer.evaluation.heat_map import heat_map
from appearance_transfer.evaluation.masked_crop import GREY, masked_crop
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


def test_a_picture_without_background_has_no_change() -> None:
    assert background_change(STRUCTURE + 1, STRUCTURE, torch.ones_like(MASK)).tolist() == [0, 0]


class TestLpips:
    @pytest.fixture(scope="class")
    def distance(self):
        return load_lpips(random_weights("alexnet"))

    @pytest.fixture(scope="class")
    def pictures(self):
        return torch.rand(2, 2, 3, 64, 64, generator=torch.Generator().manual_seed(0))

    @pytest.fixture(scope="class")
    def mask(self):
        mask = torch.zeros(2, 64, 64)
        mask[:, 16:48, 16:48] = 1
        return mask

    def test_what_happens_to_the_object_does_not_count(self, distance, pictures, mask) -> None:
        structure, other = pictures
        edited = torch.where(mask[:, None] > 0, other, structure)
        values, places = background_lpips(distance, edited, structure, mask)
        assert values.tolist() == [0, 0]
        assert places.abs().max() == 0

    def test_it_is_lpips_of_pictures_with_a_grey_object(self, distance, pictures, mask) -> None:
        structure, output = (picture.clone() for picture in pictures)
        values, _ = background_lpips(distance, output, structure, mask)
        for picture in (structure, output):
            picture[:, :, 16:48, 16:48] = 0.5
        torch.testing.assert_close(values, distance(output * 2 - 1, structure * 2 - 1))
        assert (values < distance(pictures[1] * 2 - 1, pictures[0] * 2 - 1)).all()

    def test_without_an_object_it_is_lpips(self, distance, pictures, mask) -> None:
        values, _ = background_lpips(distance, *pictures, 0 * mask)
        torch.testing.assert_close(values, distance(*(pictures * 2 - 1)))

    def test_without_a_background_it_is_nothing(self, distance, pictures, mask) -> None:
        mask = torch.stack([mask[0], torch.ones(64, 64)])
        with pytest.raises(ValueError, match="covers a whole picture"):
            background_lpips(distance, *pictures, mask)


def test_a_crop_is_the_square_around_the_object() -> None:
    picture, mask = torch.rand(10, 12, 3), torch.zeros(10, 12)
    mask[2:8, 3:5] = 1
    mask[4, 3] = 0
    crop = masked_crop(picture, mask)
    assert crop.shape == (6, 6, 3)
    expected = picture[2:8, 3:5].clone()
    expected[2, 0] = torch.tensor(GREY)
    assert torch.equal(crop[:, 2:4], expected)
    assert torch.equal(crop[:, 0], torch.tensor(GREY).expand(6, 3))
    with pytest.raises(ValueError, match="no object to look at"):
        masked_crop(picture, 0 * mask)


def test_heat_grows_from_black_over_red_to_white() -> None:
    colours = heat_map(torch.tensor([[-1.0, 0.0, 1 / 3, 2 / 3, 1.0, 9.0]]))[0]
    wanted = [[0, 0, 0], [0, 0, 0], [1, 0, 0], [1, 1, 0], [1, 1, 1], [1, 1, 1]]
    torch.testing.assert_close(colours, torch.tensor(wanted).float(), atol=1e-6, rtol=0)
