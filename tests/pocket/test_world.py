"""The pocket world: scenes repeat by seed, labels agree with each other, correspondences are true."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from appearance_transfer.pocket.captions import caption, parse
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import COATS, PARTS, SPECIES, VIEWS, random_scene
from appearance_transfer.pocket.truth import true_correspondence
from hypothesis import given, settings
from hypothesis import strategies as st

SEEDS = range(12)


@pytest.fixture(scope="module")
def rendering():
    return render([random_scene(seed) for seed in SEEDS], 64)


def test_a_seed_gives_the_same_image(rendering):
    again = render([random_scene(seed) for seed in SEEDS], 64)
    for field in dataclasses.fields(again):
        assert torch.equal(getattr(again, field.name), getattr(rendering, field.name))


def test_an_image_does_not_depend_on_its_batch(rendering):
    alone = render([random_scene(7)], 64)
    assert (alone.image[0] - rendering.image[7]).abs().max() < 1e-4
    assert torch.equal(alone.parts[0], rendering.parts[7])


def test_shapes_ranges_and_types(rendering):
    count = len(SEEDS)
    assert rendering.image.shape == (count, 64, 64, 3) and rendering.image.dtype == torch.float32
    assert rendering.parts.shape == rendering.mask.shape == (count, 64, 64)
    assert rendering.parts.dtype == torch.int64
    assert rendering.surface.shape == (count, 64, 64, 3)
    assert rendering.image.min() >= 0.0 and rendering.image.max() <= 1.0
    assert rendering.surface[..., 1:].min() >= 0.0 and rendering.surface[..., 1:].max() <= 1.0


def test_mask_is_where_a_part_is(rendering):
    assert torch.equal(rendering.mask > 0, rendering.parts > 0)
    assert not rendering.surface[rendering.parts == 0].any()


def test_every_image_shows_a_whole_animal_inside_the_frame(rendering):
    for part in range(1, len(PARTS)):
        visible = (rendering.parts == part).flatten(1).any(1)
        assert visible.float().mean() > 0.9, PARTS[part]
    assert rendering.mask.mean((1, 2)).min() > 0.15
    mask = rendering.mask
    border = torch.cat([mask[:, 0], mask[:, -1], mask[:, :, 0], mask[:, :, -1]], 1)
    assert border.mean() < 0.02


@given(st.integers(0, 2**31), st.sampled_from(SPECIES), st.sampled_from(COATS), st.integers(0, len(VIEWS) - 1))
@settings(max_examples=25, deadline=None)
def test_a_fixed_trait_leaves_the_others_alone(seed, species, coat, view):
    free = random_scene(seed)
    fixed = random_scene(seed, species=species, coat=coat, view=view)
    assert dataclasses.replace(free, species=species, coat=coat, view=view) == fixed


@pytest.mark.parametrize("trait", [{"species": "unicorn"}, {"coat": "tartan"}, {"view": 6}])
def test_unknown_traits_are_named(trait):
    with pytest.raises(ValueError, match="pocket world has no"):
        random_scene(0, **trait)


def test_nothing_to_render_is_said():
    with pytest.raises(ValueError, match="no scene"):
        render([], 64)


@given(st.integers(0, 2**31))
@settings(max_examples=50, deadline=None)
def test_captions_parse_back(seed):
    scene = random_scene(seed)
    words = {"coat": scene.coat, "color": scene.color, "species": scene.species, "ground": scene.ground}
    assert parse(caption(scene)) == words


def test_an_image_matches_itself_pixel_for_pixel(rendering):
    for index in range(4):
        match = true_correspondence(rendering, rendering, index, index)
        own = torch.arange(64 * 64).view(64, 64)
        assert torch.equal(match, torch.where(rendering.parts[index] > 0, own, -1))


def test_matches_join_equal_parts_and_near_positions(rendering):
    for a, b in ((0, 1), (2, 3), (4, 5)):
        match = true_correspondence(rendering, rendering, a, b)
        found = match >= 0
        assert found.any()
        assert torch.equal(rendering.parts[a][found], rendering.parts[b].flatten()[match[found]])
        along_a, along_b = rendering.surface[a, ..., 1][found], rendering.surface[b, ..., 1].flatten()[match[found]]
        assert (along_a - along_b).abs().max() <= 0.06 + 1e-6
        assert torch.equal(rendering.surface[a, ..., 0][found], rendering.surface[b, ..., 0].flatten()[match[found]])


def test_other_flank_matches_only_as_a_mirror_image():
    pair = render([random_scene(3, species="horse", coat="plain", view=view) for view in (0, 3)], 96)
    body = pair.parts[0] == PARTS.index("body")
    plain = (true_correspondence(pair, pair, 0, 1)[body] >= 0).float().mean()
    mirrored = (true_correspondence(pair, pair, 0, 1, mirror=True)[body] >= 0).float().mean()
    assert plain < 0.5 < 0.8 < mirrored


def test_turning_the_animal_moves_its_matches_with_it():
    """The same animal seen from three directions: most of what one view shows, the next shows too, and not at the
    same pixel.
    """
    views = render([random_scene(5, species="cow", view=view) for view in (0, 1)], 96)
    match = true_correspondence(views, views, 0, 1)
    animal = views.parts[0] > 0
    assert (match[animal] >= 0).float().mean() > 0.6
    assert (match[animal] == torch.arange(96 * 96).view(96, 96)[animal]).float().mean() < 0.1
