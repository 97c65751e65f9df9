"""Find Object with another step: each finds a disk, and none is Find Object in disguise."""

import pytest
import torch
from appearance_transfer.benchmarks.object_masks.steps import ellipse, left_out
from appearance_transfer.objects.random_walker import walk
from appearance_transfer.objects.ranking import on_one_grid, rank_object
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d

SHARE = 0.2
STEPS = left_out(SHARE)


@pytest.fixture(scope="module")
def scene() -> tuple[list[Tensor], Tensor, Tensor]:
    """Two maps of features, an image of a disk in front of a background with noise, and the disk."""
    random = torch.Generator().manual_seed(0)
    disk = ellipse(96, 96, SHARE)
    cells = adaptive_avg_pool2d(disk.float()[None], 16)[0]
    maps = [
        cells * one[0, :, None, None] + (1 - cells) * one[1, :, None, None]
        for one in torch.randn(2, 2, 24, generator=random)
    ]
    maps = [one + 0.3 * torch.randn(one.shape, generator=random) for one in maps]
    colors = torch.where(disk[..., None], torch.tensor([0.7, 0.4, 0.3]), torch.tensor([0.3, 0.5, 0.6]))
    return maps, (colors + 0.05 * torch.randn(96, 96, 3, generator=random)).clamp(0, 1), disk


@pytest.mark.parametrize("name", STEPS)
def test_another_step_finds_the_disk_in_another_way(scene, name) -> None:
    maps, image, disk = scene
    found = STEPS[name](maps, image)
    inside = found > 0.5
    assert float((inside & disk).sum() / (inside | disk).sum()) > 0.6
    assert not torch.equal(found, walk(image, rank_object(on_one_grid(maps))))


def test_an_ellipse_covers_its_share() -> None:
    assert ellipse(200, 300, 0.3).float().mean().item() == pytest.approx(0.3, abs=0.01)
