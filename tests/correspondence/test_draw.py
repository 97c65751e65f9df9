"""What the drawing shows: same color where it matches, opacity where it is sure, lines where asked."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.draw import GAP, draw_matches, spread_points
from appearance_transfer.correspondence.position_colormap import position_colors


@pytest.fixture
def gray() -> torch.Tensor:
    return torch.full((1, 32, 48, 3), 0.5)


def halves(sheet: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """The structure's and the appearance's part of a drawing of two images of one size."""
    width = (sheet.shape[2] - round(GAP * sheet.shape[1])) // 2
    return sheet[:, :, :width], sheet[:, :, -width:]


def test_every_position_has_a_color_of_its_own():
    colors = position_colors((16, 16)).flatten(0, 1)
    assert colors.min() >= 0
    assert colors.max() <= 1
    apart = torch.cdist(colors, colors) + torch.eye(256)
    assert apart.min() > 0.01


def test_matching_positions_have_one_color(identity, gray):
    order = torch.randperm(24, generator=torch.Generator().manual_seed(0)).view(1, 1, 4, 6)
    matches = replace(identity(), index=order)
    left, right = halves(draw_matches(gray, gray, matches, lines=0, height=64))
    for position, match in enumerate(order.flatten().tolist()):
        here, there = ((slice(None), n // 6 * 16 + 8, n % 6 * 16 + 8) for n in (position, match))
        torch.testing.assert_close(left[here], right[there], atol=0.01, rtol=0)


def test_what_does_not_match_is_left_plain(identity, gray):
    matches = identity()
    matches.index[..., 3:] = NO_MATCH
    matches.confidence[..., 3:] = 0
    left, right = halves(draw_matches(gray, gray, matches, lines=0, height=64))
    assert (left[:, :, 48:] == left[0, 0, -1]).all()
    assert (left[:, :, :48].std(dim=-1) > 0.02).all()
    assert right[:, :, :32].std(dim=-1).min() > right[:, :, 80:].std(dim=-1).max()


def test_opacity_follows_confidence(identity, gray):
    """As the square root, so that half as sure still shows well."""
    matches = identity()
    matches.confidence[:, 2:] = 0.25
    left, _ = halves(draw_matches(gray, gray, matches, lines=0, height=64))
    sure, _ = halves(draw_matches(gray, gray, identity(), lines=0, height=64))
    ratio = (left - 0.5) / (sure - 0.5)
    clear = (sure - 0.5).abs() > 0.1  # elsewhere eight bits are too coarse to divide
    torch.testing.assert_close(ratio[:, :32][clear[:, :32]], torch.tensor(1.0).expand(int(clear[:, :32].sum())))
    assert (ratio[:, 32:][clear[:, 32:]] - 0.5).abs().max() < 0.05


def test_lines_join_given_points_with_their_matches(identity, gray):
    plain = draw_matches(gray, gray, identity(), lines=0, height=128)
    drawn = draw_matches(gray, gray, identity(), points=[(6.0, 20.0)], height=128)
    touched = (plain != drawn).any(dim=-1)[0]
    rows, columns = torch.nonzero(touched).unbind(1)
    ends = 6 * 4, 6 * 4 + 192 + round(GAP * 128)
    assert abs(float(rows.float().mean()) - 80) < 1
    assert (columns.min() - ends[0]).abs() < 8
    assert (columns.max() - ends[1]).abs() < 8


def test_sample_points_are_sure_and_far_apart(identity):
    matches = identity(8, 8)
    matches.confidence[...] = 0.01
    matches.confidence[..., 4:] = 1
    points = torch.tensor(spread_points(matches, 4))
    assert (points[:, 0] > 32).all()
    assert (torch.cdist(points, points) + 99 * torch.eye(4)).min() > 20
    matches.confidence[...] = 0
    assert spread_points(matches, 4) == []


def test_images_of_other_shapes_and_batches(identity, gray):
    drawn = draw_matches(gray.expand(1, -1, -1, -1), torch.rand(1, 64, 96, 3), identity(), height=64)
    assert drawn.shape == (1, 64, 96 * 2 + 2, 3)
    with pytest.raises(ValueError, match="The appearance image is 32x48, but the matches are of one of 48x32"):
        draw_matches(gray, torch.rand(1, 48, 32, 3), identity())
    with pytest.raises(ValueError, match="There are 2 structure images, but the matches are of 1"):
        draw_matches(gray.repeat(2, 1, 1, 1), gray, identity())
