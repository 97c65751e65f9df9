"""The object of synthetic images: where it is is known."""

import pytest
import torch
from appearance_transfer.objects.find import Clicks, find_object
from appearance_transfer.objects.random_walker import WalkerSettings, walk
from appearance_transfer.objects.ranking import on_one_grid, otsu_threshold, rank_object, ranking_grid
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor
from torch.nn.functional import adaptive_avg_pool2d


def disk(side: int = 96, center: tuple[float, float] = (0.5, 0.5), radius: float = 0.25) -> Tensor:
    """[side, side] bool"""
    axis = (torch.arange(side) + 0.5) / side
    y, x = torch.meshgrid(axis, axis, indexing="ij")
    return (y - center[0]) ** 2 + (x - center[1]) ** 2 < radius**2


def scene(*objects: Tensor, seed: int = 0) -> tuple[Tensor, Tensor]:
    """(features [16, 16, 16], image [96, 96, 3]) in which every object and the background have a look of their own."""
    generator = torch.Generator().manual_seed(seed)
    descriptors = torch.randn(len(objects) + 1, 16, generator=generator)
    colors = torch.rand(len(objects) + 1, 3, generator=generator)
    label = torch.zeros(96, 96, dtype=torch.long)
    for number, mask in enumerate(objects, start=1):
        label[mask] = number
    cells = torch.stack([adaptive_avg_pool2d((label == n).float()[None], 16)[0] for n in range(len(descriptors))])
    features = torch.einsum("nhw,nc->chw", cells, descriptors) + 0.2 * torch.randn(16, 16, 16, generator=generator)
    return features, (colors[label] + 0.02 * torch.randn(96, 96, 3, generator=generator)).clamp(0, 1)


def iou(found: Tensor, true: Tensor) -> float:
    inside = found > 0.5
    return float((inside & true).sum() / (inside | true).sum())


class TestFindObject:
    @given(st.integers(0, 20), st.floats(0.35, 0.65), st.floats(0.35, 0.65), st.floats(0.15, 0.3))
    def test_one_object_is_found_to_the_pixel(self, seed, y, x, radius) -> None:
        true = disk(center=(y, x), radius=radius)
        features, image = scene(true, seed=seed)
        assert iou(find_object([features], image).mask, true) > 0.9

    def test_soft_edges_end(self) -> None:
        """Far from its edge a mask is exactly 0 or 1, so that what reads it knows inside from outside."""
        true = disk()
        mask = find_object([scene(true)[0]], scene(true)[1]).mask
        assert (mask[disk(radius=0.15)] == 1).all()
        assert (mask[~disk(radius=0.4)] == 0).all()

    def test_a_click_chooses_among_several_objects(self) -> None:
        left, right = disk(center=(0.5, 0.25), radius=0.15), disk(center=(0.5, 0.75), radius=0.15)
        features, image = scene(left, right, seed=3)
        for true, x in ((left, 0.25), (right, 0.75)):
            other = right if true is left else left
            found = find_object([features], image, clicks=Clicks(objects=((0.5, x),))).mask
            assert iou(found, true) > 0.8
            assert found[other].mean() < 0.2

    @settings(max_examples=10)
    @given(st.floats(-0.9, 0.9), st.floats(-0.9, 0.9))
    def test_a_click_on_the_only_object_leaves_it_as_it_is(self, down, right) -> None:
        features, image = scene(disk(radius=0.25), seed=5)
        plain = find_object([features], image).mask
        clicked = find_object([features], image, clicks=Clicks(objects=((0.5 + 0.17 * down, 0.5 + 0.17 * right),))).mask
        assert iou(plain, disk(radius=0.25)) > 0.9
        assert iou(clicked, plain > 0.5) > 0.98

    def test_a_click_on_the_background_makes_it_object_there(self) -> None:
        """What looks like the click is no background of the border any more."""
        features, image = scene(disk(center=(0.5, 0.15), radius=0.12), disk(center=(0.5, 0.7), radius=0.2), seed=3)
        found = find_object([features], image, clicks=Clicks(objects=((0.95, 0.05),))).mask
        assert found[-4:, :4].mean() > 0.5

    def test_a_click_on_the_background_leaves_what_another_has_chosen(self) -> None:
        features, image = scene(disk(radius=0.25), seed=5)
        plain = find_object([features], image, clicks=Clicks(((0.35, 0.5),))).mask
        both = find_object([features], image, clicks=Clicks(((0.35, 0.5),), ((0.9, 0.5),))).mask
        assert iou(both, plain > 0.5) > 0.98

    def test_clicks_of_both_kinds_part_what_touches(self) -> None:
        left, right = disk(center=(0.5, 0.35), radius=0.17), disk(center=(0.5, 0.65), radius=0.17)
        features, image = scene(left, right & ~left, seed=3)
        found = find_object([features], image, clicks=Clicks(((0.5, 0.3),), ((0.5, 0.7),))).mask
        assert found[:, :44].max() == 1
        assert found[:, 56:].max() < 0.5

    def test_a_background_click_takes_an_object_away(self) -> None:
        left, right = disk(center=(0.5, 0.25), radius=0.15), disk(center=(0.5, 0.75), radius=0.15)
        features, image = scene(left, right, seed=3)
        found = find_object([features], image, clicks=Clicks(background=((0.5, 0.25),))).mask
        assert found[right].mean() > 0.8
        assert found[left].mean() < 0.2

    def test_a_hint_exchanges_object_and_background(self) -> None:
        """The object covers the border; only a small hole is background."""
        hole = disk(radius=0.2)
        features, image = scene(~hole, seed=1)
        plain = find_object([features], image)
        assert iou(plain.mask, hole) > 0.8, "the border is taken for background"
        assert not plain.complement
        hinted = find_object([features], image, hint=(~hole).float())
        assert hinted.complement
        assert iou(hinted.mask, ~hole) > 0.8
        assert not find_object([features], image, hint=hole.float()).complement

    def test_clicks_outside_are_told(self) -> None:
        features, image = scene(disk())
        with pytest.raises(ValueError, match="outside"):
            find_object([features], image, clicks=Clicks(objects=((1.2, 0.5),)))


class TestParts:
    def test_ranking_of_two_groups_is_the_groups(self) -> None:
        features, _ = scene(disk(), seed=2)
        rank = rank_object(features)
        true = adaptive_avg_pool2d(disk().float()[None], 16)[0]
        assert rank[true > 0.9].min() > rank[true < 0.1].max()

    def test_the_walk_keeps_a_probability_that_is_constant(self) -> None:
        image = torch.rand(20, 30, 3, generator=torch.Generator().manual_seed(0))
        torch.testing.assert_close(walk(image, torch.full((4, 4), 0.3)), torch.full((20, 30), 0.3))

    def test_the_walk_stops_at_an_edge_of_color(self) -> None:
        """A prior that is known in one corner of each half only."""
        image = torch.zeros(24, 24, 3)
        image[:, 12:] = 1
        prior = torch.full((24, 24), 0.5)
        prior[0, 0], prior[0, -1] = 1, 0
        walked = walk(image, prior, WalkerSettings(prior=1e-6))
        assert walked[:, :12].min() > walked[:, 12:].max()
        assert walked[:, :11].std() < 0.05

    def test_seeds_hold(self) -> None:
        image = torch.full((16, 16, 3), 0.5)
        walked = walk(image, torch.full((4, 4), 0.5), objects=((0.1, 0.1),), background=((0.9, 0.9),))
        assert walked[1, 1] > 0.9
        assert walked[14, 14] < 0.1

    @given(st.integers(1, 200), st.integers(1, 200))
    def test_grids_are_bounded_and_keep_their_shape(self, height, width) -> None:
        rows, columns = ranking_grid((height, width))
        assert rows * columns <= 1024 or min(rows, columns) == 2
        if height * width > 1024 and min(height, width) > 20:
            assert abs(rows / columns - height / width) < 0.2 * height / width

    def test_maps_of_several_grids_meet_on_the_finest(self) -> None:
        maps = [torch.randn(3, 8, 8), torch.randn(5, 16, 16)]
        joined = on_one_grid(maps)
        assert joined.shape == (8, 16, 16)
        torch.testing.assert_close(joined[:3].norm(dim=0), torch.ones(16, 16))

    def test_otsu_parts_two_peaks(self) -> None:
        values = torch.cat([torch.full((50,), 0.2), torch.full((50,), 0.8)])
        assert 0.2 < float(otsu_threshold(values)) < 0.8
