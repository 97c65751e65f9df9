"""Matching by the field, on images whose true matches are known in closed form."""

import math

import pytest
import torch
from appearance_transfer.correspondence.box import Box
from appearance_transfer.correspondence.consensus import consensus
from appearance_transfer.correspondence.correspondence import NO_MATCH, Correspondence
from appearance_transfer.correspondence.features import Features
from appearance_transfer.correspondence.field import FieldQuery, field_matches
from appearance_transfer.correspondence.match import FIELD, NEAREST, TRANSPORT, match
from appearance_transfer.correspondence.smooth_field import FieldSettings, fit_field, robust_affine
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

SIDE = 128


def smooth(seed: int, grid: int = 24, channels: int = 48) -> Tensor:
    """[C, grid, grid] whose neighbors resemble each other, as features of images do."""
    noise = torch.randn(1, channels, 8, 8, generator=torch.Generator().manual_seed(seed))
    return interpolate(noise, size=(grid, grid), mode="bicubic")[0]


def warped(values: Tensor, matrix: list[list[float]]) -> Tensor:
    """What an image [C, h, w] shows at matrix @ (x, y), for (x, y) in -1..1 around its center."""
    theta = torch.tensor(matrix)
    axis = (torch.arange(values.shape[-1]) + 0.5) * 2 / values.shape[-1] - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    at = torch.stack([x, y], dim=-1) @ theta.T
    return grid_sample(values[None], at[None], align_corners=False, padding_mode="border")[0]


def features(values: Tensor) -> Features:
    return Features(values[None], (SIDE, SIDE))


def errors(found: Correspondence, matrix: list[list[float]]) -> Tensor:
    """[h, w]: the distance of the matches to the truth, in shares of the image, where the truth lies inside it."""
    axis = (torch.arange(found.grid[0]) + 0.5) * 2 / found.grid[0] - 1
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    true = torch.stack([x, y], dim=-1) @ torch.tensor(matrix).T
    away = (found.points()[0].flip(-1) * 2 - 1 - true).norm(dim=-1) / 2
    return torch.where((true.abs() < 0.9).all(-1), away, 0.0)


ANALYTIC = {
    "identity": [[1.0, 0.0], [0.0, 1.0]],
    "rotated by 90 degrees": [[0.0, -1.0], [1.0, 0.0]],
    "half as large": [[0.5, 0.0], [0.0, 0.5]],
    "twice as large": [[2.0, 0.0], [0.0, 2.0]],
    "mirrored": [[-1.0, 0.0], [0.0, 1.0]],
}


class TestField:
    @pytest.mark.parametrize("name", ANALYTIC)
    def test_an_affine_map_is_found_finer_than_a_position(self, name) -> None:
        matrix = ANALYTIC[name]
        appearance = smooth(0)
        structure = warped(appearance, matrix)
        found = match(features(structure), features(appearance), method=FIELD)
        away = errors(found, matrix)
        assert away.mean() < 0.25 / 24, "of a quarter of a position in the mean"
        assert away.max() < 0.1

    @given(st.integers(0, 5))
    def test_wrong_features_in_a_part_are_overruled(self, seed) -> None:
        """A fifth of the structure shows noise: nearest neighbors are lost there, the field is not."""
        appearance = smooth(seed)
        structure = appearance.clone()
        structure[:, 8:14, 8:16] = torch.randn(48, 6, 8, generator=torch.Generator().manual_seed(seed + 100))
        by_field, nearest = (
            match(features(structure), features(appearance), method=method) for method in (FIELD, NEAREST)
        )
        away, lost = (errors(found, ANALYTIC["identity"])[8:14, 8:16] for found in (by_field, nearest))
        assert (away < 0.15).float().mean() > 0.6
        assert (lost < 0.15).float().mean() < 0.3
        assert by_field.confidence[0, 8:14, 8:16].mean() < by_field.confidence[0, 18:].mean()

    def test_masks_keep_both_sides_inside(self) -> None:
        values = smooth(3)
        mask = torch.zeros(1, SIDE, SIDE)
        mask[:, 32:96, 16:80] = 1
        found = match(features(values), features(values), method=FIELD, structure_mask=mask, appearance_mask=mask)
        inside = torch.zeros(24, 24, dtype=torch.bool)
        inside[6:18, 3:15] = True
        assert torch.equal(found.best[0] != NO_MATCH, inside)
        points = found.points()[0][inside]
        assert (
            (points[:, 0] >= 0.25) & (points[:, 0] <= 0.75) & (points[:, 1] >= 0.125) & (points[:, 1] <= 0.625)
        ).all()
        assert not found.confidence[0][~inside].any()

    def test_regions_match_only_each_other(self) -> None:
        """Both halves show the same; the regions are exchanged, so each must find the other half."""
        half = smooth(1)[:, :, :12]
        values = torch.cat([half, half], dim=-1)
        left, right = torch.zeros(2, 1, SIDE, SIDE)
        left[..., : SIDE // 2], right[..., SIDE // 2 :] = 1, 1
        found = match(features(values), features(values), method=FIELD, regions=[(left, right), (right, left)])
        columns = found.best[0] % 24
        assert (columns[:, :12] >= 12).all()
        assert (columns[:, 12:] < 12).all()

    def test_without_seeds_it_is_the_nearest_neighbor(self) -> None:
        """Two by two positions have at most four mutual neighbors."""
        values = torch.randn(16, 2, 2, generator=torch.Generator().manual_seed(0))
        ones = torch.ones(2, 2, dtype=torch.bool)
        found = field_matches(FieldQuery(values, values.flip(-1), ones, ones))
        assert found.seeds < 6
        torch.testing.assert_close(found.point[:2], torch.tensor([[0.25, 0.75], [0.25, 0.25]]))

    def test_large_grids_are_matched_on_a_coarser_one(self) -> None:
        """More than 64 positions a side: averaged down, and read between."""
        values = smooth(2, grid=96)
        found = match(features(values), features(values), method=FIELD)
        assert found.grid == (96, 96)
        assert found.appearance_grid == (96, 96)
        assert errors(found, ANALYTIC["identity"]).max() < 2 / 64

    def test_a_forced_point_takes_its_neighborhood_along(self) -> None:
        values = smooth(4)
        at, to = [(64.0, 64.0)], [(88.0, 64.0)]
        plain = match(features(values), features(values), method=FIELD)
        bent = match(features(values), features(values), method=FIELD, forced=(at, to))
        moved = (bent.points() - plain.points())[0, ..., 1] * SIDE
        assert abs(float(moved[12, 12]) - 24) < 6, "the point follows"
        assert moved[10:14, 10:14].mean() > 8, "and so does what is around it"
        assert moved[:3].abs().max() < 3, "but not what is far away"


class TestTransport:
    def test_a_permutation_is_found(self) -> None:
        values = smooth(5)
        found = match(features(values), features(values), method=TRANSPORT)
        assert torch.equal(found.best[0].flatten(), torch.arange(24 * 24))

    def test_no_position_is_taken_by_all(self) -> None:
        """One position of the appearance resembles everything; nearest neighbors all go there."""
        structure = smooth(6)
        hub = structure.flatten(1).mean(1)
        appearance = structure + 3 * torch.randn(structure.shape, generator=torch.Generator().manual_seed(1))
        appearance[:, 0, 0] = hub + structure[:, 5, 5]
        nearest, spread = (
            match(features(structure), features(appearance), method=method).best.flatten()
            for method in (NEAREST, TRANSPORT)
        )
        assert spread.bincount().max() <= nearest.bincount().max()
        assert len(spread.unique()) > len(nearest.unique())


class TestParts:
    def test_consensus_of_a_constant_is_the_constant(self) -> None:
        ones = torch.ones(6, 7, dtype=torch.bool)
        half = torch.ones(5, 4, dtype=torch.bool)
        torch.testing.assert_close(consensus(torch.full((42, 20), 0.3), ones, half), torch.full((42, 20), 0.3))

    def test_consensus_is_the_mean_over_the_window(self) -> None:
        """Against the double loop that defines it."""
        generator = torch.Generator().manual_seed(0)
        ours, theirs = (6, 5), (9, 8)
        similarity = torch.randn(30, 72, generator=generator)
        query, key = torch.rand(ours, generator=generator) > 0.2, torch.rand(theirs, generator=generator) > 0.2
        found = consensus(similarity, query, key).view(*ours, *theirs)
        cube = similarity.view(*ours, *theirs)
        for y, x, v, u in ((2, 2, 4, 4), (0, 0, 0, 0), (5, 4, 8, 7), (3, 1, 2, 6)):
            total = weight = 0.0
            for dy in range(-2, 3):
                for dx in range(-2, 3):
                    a, b = y + dy, x + dx
                    c, d = v + round(dy * 9 / 6), u + round(dx * 8 / 5)
                    if 0 <= a < 6 and 0 <= b < 5 and 0 <= c < 9 and 0 <= d < 8 and query[a, b] and key[c, d]:
                        w = math.exp(-(dy * dy + dx * dx) / (2 * 1.5**2))
                        total, weight = total + w * float(cube[a, b, c, d]), weight + w
            assert found[y, x, v, u] == pytest.approx(total / weight if weight else 0.0, abs=1e-5)

    def test_the_affine_map_survives_a_third_of_outliers(self) -> None:
        generator = torch.Generator().manual_seed(1)
        points = torch.rand(90, 2, generator=generator, dtype=torch.float64)
        matrix = torch.tensor([[0.8, 0.1], [-0.2, 0.9], [0.1, 0.05]], dtype=torch.float64)
        targets = torch.cat([points, torch.ones(90, 1)], 1) @ matrix
        targets[:30] = torch.rand(30, 2, generator=generator, dtype=torch.float64)
        found = robust_affine(points, targets, torch.ones(90, dtype=torch.float64), FieldSettings())
        assert (found - matrix).abs().max() < 0.1

    def test_kriging_goes_through_trusted_seeds(self) -> None:
        """Without a nugget every seed is met."""
        points = torch.rand(12, 2, generator=torch.Generator().manual_seed(2))
        targets = points + 0.05 * torch.sin(6 * points)
        field = fit_field(points, targets, torch.ones(12), FieldSettings(nugget=1e-6))
        torch.testing.assert_close(field(points), targets, atol=1e-3, rtol=0)

    @given(st.integers(1, 9), st.integers(1, 9))
    def test_a_box_goes_to_the_image_and_back(self, height, width) -> None:
        mask = torch.zeros(10, 12, dtype=torch.bool)
        mask[1 : 1 + height, 2 : 2 + width] = True
        box = Box.around(mask)
        assert box.size == (height, width)
        points = box.centers()
        torch.testing.assert_close(box.from_image(box.to_image(points, (10, 12)), (10, 12)), points)
        assert torch.equal(box.position_of(points), torch.arange(height * width))
