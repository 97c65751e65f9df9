"""The field out of its steps is the field; each step left out changes it; rows differ from it pair by pair."""

import pytest
import torch
from appearance_transfer.benchmarks.matches.failures import by_side, worst
from appearance_transfer.benchmarks.matches.field_rows import FREE, LESS, MASKED, MORE, SILHOUETTE, compared
from appearance_transfer.benchmarks.matches.field_steps import LEFT_OUT, Steps
from appearance_transfer.benchmarks.matches.hard_cases import as_they_are, at_the_border, two_in_one_image
from appearance_transfer.benchmarks.matches.keypoints import fractions_found, keypoints_of
from appearance_transfer.benchmarks.matches.sides import both_ways, decided_right, should_mirror
from appearance_transfer.benchmarks.matches.silhouettes import silhouette
from appearance_transfer.benchmarks.transfers.pairs import held_out_pairs, rendered
from appearance_transfer.correspondence.features import Features
from appearance_transfer.correspondence.match import FIELD, match
from torch import Tensor
from torch.nn.functional import interpolate

SIDE = 64


@pytest.fixture(scope="module")
def truth():
    return rendered(held_out_pairs(3, first_seed=700_000), SIDE)


@pytest.fixture(scope="module")
def sides() -> tuple[Features, Features, Tensor, Tensor]:
    """Smooth features of two images that resemble each other, and masks with soft edges."""
    random = torch.Generator().manual_seed(0)
    coarse = torch.randn(2, 16, 6, 6, generator=random)
    noise = torch.randn(2, 16, 20, 20, generator=random)
    ours, other = interpolate(coarse, size=(20, 20), mode="bicubic") + 0.4 * noise
    masks = torch.zeros(2, 1, SIDE, SIDE)
    masks[0, :, 5:57, 9:60], masks[1, :, 2:50, 12:62] = 1.0, 0.7
    structure, appearance = Features(ours[None], (SIDE, SIDE)), Features((1.5 * other + ours)[None], (SIDE, SIDE))
    return structure, appearance, masks[0], masks[1]


def test_all_steps_together_are_the_field(sides) -> None:
    structure, appearance, *masks = sides
    ours = Steps().match(structure, appearance, *masks)
    field = match(structure, appearance, method=FIELD, structure_mask=masks[0], appearance_mask=masks[1])
    for name in ("index", "subcell", "cosine", "confidence"):
        assert torch.equal(getattr(ours, name), getattr(field, name)), name


@pytest.mark.parametrize("name", LEFT_OUT)
def test_a_step_left_out_matters(sides, name) -> None:
    points, whole = LEFT_OUT[name].match(*sides).points(), Steps().match(*sides).points()
    assert points.isfinite().all()
    assert not torch.equal(points, whole)


def test_a_silhouette_finds_its_own_places_and_the_side(truth) -> None:
    """In an animal and itself every position is found; and the mirror image fits what is mirrored."""
    masks = truth.structure.mask
    same = silhouette(masks)
    found = match(same, same, method=FIELD, structure_mask=masks, appearance_mask=masks)
    axis = (torch.arange(32) + 0.5) / 32
    true = torch.stack(torch.meshgrid(axis, axis, indexing="ij"), dim=-1)
    away = (found.points() - true).norm(dim=-1)[found.best >= 0]
    assert away.mean() < 0.02

    shapes = [silhouette(mask) for mask in (masks, truth.appearance.mask, truth.appearance.mask.flip(-1))]
    ways = both_ways(tuple(shapes), lambda *features, **masks: match(*features, method=FIELD, **masks), truth)
    assert ways.by_confidence().shape == ways.by_cosine().shape == (3,)
    assert decided_right(should_mirror(truth), truth) == [1.0, 1.0, 1.0]
    keypoints = keypoints_of(truth)
    right, wrong = (ways.taken(mirrored) for mirrored in (should_mirror(truth), ~should_mirror(truth)))
    assert fractions_found(right, keypoints).mean() > fractions_found(wrong, keypoints).mean()


def test_rows_differ_from_the_field_and_the_silhouette_pair_by_pair() -> None:
    table = compared(
        {
            "a, nearest": {MASKED: [0.5, 0.25]},
            "a, field": {MASKED: [0.75, 0.5], FREE: [0.75, 0.25]},
            "a, field: less": {MASKED: [0.25, 0.5]},
            SILHOUETTE: {MASKED: [0.5, 0.5]},
        }
    )
    assert table["a, nearest"] == {MASKED: [0.5, 0.25], LESS: [-0.25, -0.25], MORE: [0.0, -0.25]}
    assert table["a, field: less"] == {MASKED: [0.25, 0.5], LESS: [-0.5, 0.0], MORE: [-0.25, 0.0]}
    assert LESS not in table["a, field"]
    assert table["a, field: without masks"] == {MASKED: [0.75, 0.25], LESS: [0.0, -0.25], MORE: [0.25, -0.25]}
    assert table[SILHOUETTE] == {MASKED: [0.5, 0.5]}


class TestHardCases:
    @pytest.fixture(scope="class")
    def pairs(self):
        return rendered(held_out_pairs(2, first_seed=700_000), 128)

    def test_structures_as_they_are_have_the_keypoints_of_the_pairs(self, pairs) -> None:
        assert as_they_are(pairs).keypoints(pairs).structure == keypoints_of(pairs).structure
        assert as_they_are(pairs).keypoints(pairs).appearance == keypoints_of(pairs).appearance

    def test_spots_lie_on_the_animal_that_is_meant(self, pairs) -> None:
        twos, border = two_in_one_image(pairs), at_the_border(pairs)
        assert twos.images.shape == (2, 128, 256, 3)
        assert border.images.shape == (2, 128, 128, 3)
        assert (twos.spots[:, :, 128:] == -1).all()
        for structures in (twos, border):
            known = structures.spots >= 0
            assert known.flatten(1).any(1).all()
            there = pairs.appearance.mask.flatten(1).gather(1, structures.spots.clamp(min=0).flatten(1))
            assert (there.view_as(known)[known] > 0).all()

    def test_the_worst_come_first(self, pairs) -> None:
        structures = as_they_are(pairs)
        ways = both_ways((silhouette(pairs.structure.mask),) * 3, match, pairs)
        found = by_side(structures, pairs, ways.plain, torch.tensor([0.5, 0.25]))
        assert {tuple(one.fractions) for one in found.values()} == {(0.5,) * 3, (0.25,) * 3}
        both = worst(structures, pairs, ways.plain, torch.tensor([0.5, 0.25]), torch.tensor([True, True]))
        assert both.fractions == [0.25, 0.5, 0.5]
        wide = two_in_one_image(pairs)
        assert both.images.shape == _drawn_alone(wide, pairs).images.shape


def _drawn_alone(structures, pairs):
    """Any matches of structures of another shape."""
    features = Features(torch.ones(2, 4, 16, 32), (128, 256))
    other = Features(torch.ones(2, 4, 16, 16), (128, 128))
    return worst(structures, pairs, match(features, other), torch.zeros(2), torch.tensor([True, True]))
