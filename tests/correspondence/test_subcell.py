"""Matches finer than a position, in everything that reads matches; and fused features."""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH, Correspondence
from appearance_transfer.correspondence.features import Features
from appearance_transfer.correspondence.fusion import fuse, fuse_maps, parse_weights
from appearance_transfer.correspondence.mirroring import either, mirrored_back
from appearance_transfer.correspondence.points import force_pairs, matched_points
from appearance_transfer.correspondence.resample import resample_matches
from appearance_transfer.correspondence.warp import warp
from torch import Tensor
from torch.nn.functional import normalize

GRID, IMAGE = (6, 8), (48, 64)


def shifted(dy: float, dx: float, grid=GRID) -> Correspondence:
    """Every position matches what lies (dy, dx), in shares of the image, from its own place."""
    y, x = ((torch.arange(size) + 0.5) / size for size in grid)
    points = torch.cartesian_prod(y, x).view(1, *grid, 2) + torch.tensor([dy, dx])
    points = points.clamp(0, 1)
    cells = (points * torch.tensor(grid)).long().minimum(torch.tensor(grid) - 1)
    index = (cells[..., 0] * grid[1] + cells[..., 1])[:, None]
    ones = torch.ones(1, *grid)
    return Correspondence(index, ones[:, None], ones, ones, grid, IMAGE, IMAGE, points)


def ramp(size: tuple[int, int]) -> Tensor:
    """[1, 2, h, w]: each pixel holds its place as shares (y, x)."""
    y, x = ((torch.arange(side) + 0.5) / side for side in size)
    return torch.stack(torch.meshgrid(y, x, indexing="ij"))[None]


def test_whole_positions_are_their_centers() -> None:
    whole = replace(shifted(0, 0), subcell=None)
    torch.testing.assert_close(whole.points(), shifted(0, 0).points())


@pytest.mark.parametrize("size", [GRID, (12, 16), (48, 64), (3, 4)])
def test_a_warp_reads_between_positions(size) -> None:
    """A ramp shifted by less than a position comes out shifted by just that."""
    dy, dx = 0.03, -0.02
    warped = warp(ramp((48, 64)), shifted(dy, dx), fallback=ramp(size) * 0)
    expected = ramp(size) + torch.tensor([dy, dx]).view(1, 2, 1, 1)
    inside = (ramp(size) > 0.15).all(1) & (ramp(size) < 0.85).all(1)
    assert (warped - expected)[inside[:, None].expand_as(warped)].abs().max() < 0.005


def test_resampling_keeps_the_field() -> None:
    fine = resample_matches(shifted(0.05, 0.0), (24, 32), (12, 16))
    away = fine.points() - ramp((24, 32)).movedim(1, -1) - torch.tensor([0.05, 0.0])
    assert away[:, 4:-6, 4:-4].abs().max() < 1e-5
    cells = (fine.points() * torch.tensor([12, 16])).long().minimum(torch.tensor([11, 15]))
    assert torch.equal(fine.best, cells[..., 0] * 16 + cells[..., 1])


def test_positions_without_a_match_stay_so_and_spoil_no_neighbor() -> None:
    holed = shifted(0.0, 0.0)
    holed.index[:, :, 2, 3] = NO_MATCH
    holed.subcell[:, 2, 3] = 0.0
    fine = resample_matches(holed, (12, 16), (12, 16))
    assert (fine.best[:, 4:6, 6:8] == NO_MATCH).all()
    assert (fine.best == NO_MATCH).sum() == 4
    away = (fine.points() - ramp((12, 16)).movedim(1, -1)).abs()
    known = (fine.best != NO_MATCH) & (ramp((12, 16)) > 0.1).all(1) & (ramp((12, 16)) < 0.9).all(1)
    assert away[known].max() < 0.09, "less than a position of the old grid"


def test_points_follow_the_field() -> None:
    (found,) = matched_points(shifted(0.02, 0.03), [(30.0, 20.0)])
    torch.testing.assert_close(
        found, torch.tensor([30 + 0.03 * 64, 20 + 0.02 * 48], dtype=torch.float64), atol=1e-4, rtol=0
    )


def test_a_forced_point_is_met_to_the_pixel() -> None:
    forced = force_pairs(shifted(0.0, 0.0), [(30.0, 20.0)], [(10.0, 12.0)], radius=0.2)
    (found,) = matched_points(forced, [(30.0, 20.0)])
    torch.testing.assert_close(found, torch.tensor([10.0, 12.0], dtype=torch.float64), atol=1e-3, rtol=0)


def test_mirrored_back_twice_is_as_it_was() -> None:
    matches = shifted(0.1, 0.05)
    matches.index[:, :, 0, 0] = NO_MATCH
    twice = mirrored_back(mirrored_back(matches))
    assert torch.equal(twice.index, matches.index)
    torch.testing.assert_close(twice.points(), matches.points())


def test_either_takes_each_image_from_its_own() -> None:
    one, other = shifted(0.1, 0.0), shifted(0.0, 0.1)
    assert torch.equal(either(torch.tensor([True]), one, other).points(), one.points())
    assert torch.equal(either(torch.tensor([False]), one, other).index, other.index)


def features(seed: int, channels: int, grid: tuple[int, int]) -> Features:
    values = torch.randn(2, channels, *grid, generator=torch.Generator().manual_seed(seed))
    return Features(values, IMAGE, {"kind": f"of {seed}"})


class TestFusion:
    def test_the_cosine_is_the_weighted_mean(self) -> None:
        one, other = features(0, 5, GRID), features(1, 9, GRID)
        joined = fuse([one, other], [1.0, 0.5]).values.flatten(2)
        cosine = torch.einsum("bcn,bcm->bnm", normalize(joined, dim=1), normalize(joined, dim=1))
        parts = [normalize(part.values.flatten(2), dim=1) for part in (one, other)]
        means = [torch.einsum("bcn,bcm->bnm", part, part) for part in parts]
        torch.testing.assert_close(cosine, (means[0] + 0.5 * means[1]) / 1.5)

    def test_the_grid_is_the_finest_and_weight_0_leaves_out(self) -> None:
        joined = fuse([features(0, 5, (3, 4)), features(1, 9, GRID), features(2, 4, (12, 16))], [1.0, 1.0, 0.0])
        assert joined.grid == GRID
        assert joined.values.shape[1] == 14
        assert joined.source["kind"] == "fused"

    def test_maps_of_one_forward_come_out_twice_as_fine(self) -> None:
        maps = {0: torch.randn(1, 4, 8, 8), 1: torch.randn(1, 6, 16, 16), 2: torch.randn(1, 3, 32, 32)}
        assert fuse_maps(maps, {1: 1.0, 0: 0.5}).shape == (1, 10, 32, 32)
        assert fuse_maps({1: torch.randn(1, 6, 64, 48)}, {1: 1.0}).shape == (1, 6, 64, 48)

    def test_other_images_and_weights_are_told(self) -> None:
        with pytest.raises(ValueError, match="same images"):
            fuse([features(0, 5, GRID), replace(features(1, 5, GRID), image=(64, 64))], [1.0, 1.0])
        with pytest.raises(ValueError, match="All weights are 0"):
            fuse([features(0, 5, GRID)] * 2, [0.0, 0.0])

    def test_weights_are_read(self) -> None:
        assert parse_weights("", 2) == [1.0, 1.0]
        assert parse_weights("1, .5 0", 3) == [1.0, 0.5, 0.0]
        for wrong in ("1", "1, x", "1, -1", "1, nan", "1, inf"):
            with pytest.raises(ValueError, match="2 features are connected"):
                parse_weights(wrong, 2)
