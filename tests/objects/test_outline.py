"""The edge of a mask as lines."""

import pytest
import torch
from appearance_transfer.objects.outline import outline
from torch import Tensor


def distance(side: int, height: int | None = None) -> Tensor:
    """[height, side]: how far each pixel's center lies from the middle of the image, in shares of its sides."""
    y, x = ((torch.arange(count) + 0.5) / count - 0.5 for count in (height or side, side))
    return torch.meshgrid(y, x, indexing="ij")[0].hypot(torch.meshgrid(y, x, indexing="ij")[1])


def ends_that_meet(lines: Tensor) -> bool:
    """Whether every end of a line is also the end of exactly one other: all lines close."""
    _, count = lines.flatten(0, 1).mul(1e5).round().unique(dim=0, return_counts=True)
    return bool((count % 2 == 0).all())


@pytest.mark.parametrize("height", [64, 40])
def test_the_outline_of_a_soft_disk_is_its_circle(height) -> None:
    soft = (0.5 + (0.3 - distance(64, height)) * 8).clamp(0, 1)
    lines = outline(soft)
    assert ((lines - 0.5).norm(dim=-1) - 0.3).abs().max() < 0.005
    assert (lines[:, 0] - lines[:, 1]).norm(dim=-1).sum() == pytest.approx(2 * torch.pi * 0.3, rel=0.02)
    assert ends_that_meet(lines)


def test_what_touches_the_border_is_closed_along_it() -> None:
    mask = torch.zeros(8, 8)
    mask[:, :4] = 1
    lines = outline(mask)
    assert ends_that_meet(lines)
    assert lines.amin() >= 0
    assert lines.amax() <= 1
    assert lines[..., 1].amax() == pytest.approx(0.5)


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_an_empty_mask_has_no_outline_and_a_full_one_goes_around(value) -> None:
    lines = outline(torch.full((6, 6), value))
    assert bool(len(lines)) == bool(value)


def test_a_hole_has_an_outline_of_its_own() -> None:
    ring = ((distance(48) < 0.4) & (distance(48) > 0.2)).float()
    away = (outline(ring) - 0.5).norm(dim=-1).flatten()
    assert (away < 0.25).any()
    assert (away > 0.35).any()
    assert ends_that_meet(outline(ring))
