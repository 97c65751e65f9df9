"""Self-Segmentation with its image connected: the mask's edges are those of the image's colors."""

import pytest
import torch

SIDE = 96


@pytest.fixture(scope="module")
def fitted(host):
    from appearance_transfer.host.matching.segmentation import fitted

    return fitted


@pytest.fixture
def disk() -> torch.Tensor:
    axis = (torch.arange(SIDE) + 0.5) / SIDE - 0.5
    return axis[:, None] ** 2 + axis**2 < 0.3**2


@pytest.fixture
def images(disk) -> torch.Tensor:
    """Two, the second with alpha ignored by whoever reads colors."""
    colors = torch.where(disk[..., None], torch.tensor([0.8, 0.3, 0.2]), torch.tensor([0.2, 0.5, 0.4]))
    return torch.cat([colors, torch.ones(SIDE, SIDE, 1)], dim=-1).repeat(2, 1, 1, 1)


def test_without_images_masks_stay_as_they_are(fitted) -> None:
    masks = torch.rand(2, 8, 8)
    assert fitted(masks, None) is masks


def test_edges_become_those_of_the_colors(fitted, disk, images) -> None:
    coarse = torch.nn.functional.adaptive_avg_pool2d(disk.float()[None], 8).round().repeat(2, 1, 1)
    found = fitted(coarse, images)
    assert found.shape == (2, SIDE, SIDE)
    assert found.min() >= 0 and found.max() <= 1
    inside = found > 0.5
    overlap = (inside & disk).sum((1, 2)) / (inside | disk).sum((1, 2))
    blocks = coarse.repeat_interleave(SIDE // 8, 1).repeat_interleave(SIDE // 8, 2) > 0.5
    before = (blocks & disk).sum((1, 2)) / (blocks | disk).sum((1, 2))
    assert before.max() < 0.9
    assert overlap.min() > 0.98


def test_a_mask_of_nothing_stays_empty(fitted, images) -> None:
    assert not fitted(torch.zeros(2, 8, 8), images).any()


def test_another_number_of_images_is_told(fitted, images) -> None:
    with pytest.raises(ValueError, match="2 images and masks of 3"):
        fitted(torch.zeros(3, 8, 8), images)
