"""Features to matches: methods, masks, regions, and what is refused."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.match import METHODS, match, unmatched


def flat(features) -> torch.Tensor:
    return torch.nn.functional.normalize(features.values.flatten(2), dim=1)


@pytest.mark.parametrize("method", METHODS)
def test_an_image_matches_itself_position_by_position(features, method):
    same = features(images=2)
    found = match(same, same, method=method)
    assert torch.equal(found.best.flatten(1), torch.arange(30).expand(2, -1))
    torch.testing.assert_close(found.cosine, torch.ones(2, 6, 5))
    torch.testing.assert_close(found.weight.sum(dim=1), torch.ones(2, 6, 5))


def test_one_appearance_serves_all_structures(features):
    structure, appearance = features(1, images=3), features(2, grid=(4, 7))
    found = match(structure, appearance)
    assert (found.appearance_grid, found.structure_image, found.appearance_image) == ((4, 7), (48, 40), (32, 56))
    full = flat(structure).mT @ flat(appearance)
    assert torch.equal(found.best.flatten(1), full.argmax(dim=2))
    torch.testing.assert_close(found.confidence.flatten(1), full.amax(dim=2).clamp(0, 1))


def test_soft_matches_are_the_top_of_the_softmax(features):
    structure, appearance = features(1), features(2)
    found = match(structure, appearance, method="soft", temperature=0.3, floor=-0.2, candidates=4)
    full = (flat(structure).mT @ flat(appearance))[0]
    probability = torch.softmax((full / 0.3).masked_fill(full < -0.2, -torch.inf), dim=1)
    top, position = probability.topk(4, dim=1)
    assert torch.equal(found.index.flatten(2)[0].T, position)
    torch.testing.assert_close(found.weight.flatten(2)[0].T, top / top.sum(dim=1, keepdim=True))
    torch.testing.assert_close(found.confidence.flatten(), top[:, 0])


def test_more_candidates_than_positions(features):
    found = match(features(1), features(2, grid=(1, 3)), method="soft")
    assert found.index.shape == (1, 8, 6, 5)
    assert (found.index[:, 3:] == NO_MATCH).all()
    torch.testing.assert_close(found.weight.sum(dim=1), torch.ones(1, 6, 5))


@pytest.mark.parametrize("method", METHODS)
def test_the_floor_drops_matches(features, method):
    plain = match(features(1), features(2), method=method)
    found = match(features(1), features(2), method=method, floor=0.6)
    kept = found.best != NO_MATCH
    assert 0 < kept.sum() < kept.numel()
    assert torch.equal(kept, (plain.cosine >= 0.6) & (plain.best != NO_MATCH))
    for tensor in (found.confidence, found.cosine, found.weight.sum(dim=1)):
        assert (tensor[~kept] == 0).all()


@pytest.mark.parametrize("method", METHODS)
def test_masks_say_where_and_what(features, method):
    """A mask of another size than the grid; a position that it touches at all is inside."""
    ours, theirs = torch.zeros(1, 48, 40), torch.zeros(1, 48, 40)
    ours[:, :9] = 1  # one row of positions, and one pixel of the second
    theirs[:, :, 39] = 0.1
    found = match(features(1), features(2), method=method, structure_mask=ours, appearance_mask=theirs)
    inside = torch.zeros(6, 5, dtype=torch.bool)
    inside[:2] = True
    assert (found.best[0][~inside] == NO_MATCH).all()
    matched = found.index[found.index != NO_MATCH]
    assert len(matched)
    assert (matched % 5 == 4).all()
    if method != "mutual":
        assert (found.best[0][inside] != NO_MATCH).all()


@pytest.mark.parametrize("method", METHODS)
def test_regions_match_only_each_other_both_ways(features, method):
    left, top = torch.zeros(1, 6, 5), torch.zeros(1, 6, 5)
    left[..., :2] = 1
    top[:, :2] = 1
    found = match(features(1), features(2), method=method, regions=[(left, top)])
    kept = found.best[0] != NO_MATCH
    assert kept[:, :2].any()
    assert kept[:, 2:].any()
    assert torch.equal((found.best[0] < 10)[kept], (left[0] > 0)[kept])


def test_regions_may_lie_inside_each_other(features):
    """The head belongs to the animal: head matches head, and the rest of the animal its rest."""
    animal, head = torch.zeros(1, 6, 5), torch.zeros(1, 6, 5)
    animal[..., :3] = 1
    head[:, :2, :3] = 1
    found = match(features(1), features(2), regions=[(animal, animal), (head, head)])
    part = (animal + head).long().flatten()
    assert torch.equal(part[found.best.flatten()], part)


def test_neighboring_regions_stay_apart_and_small_ones_exist(features):
    """Grids are coarser than masks: a position that both touch goes to who covers half; an eye is never lost."""
    left = torch.zeros(1, 48, 40)
    left[..., :19] = 1
    extractor = torch.zeros(1, 48, 40)
    extractor[:, 42, 33] = 1
    found = match(features(1), features(2), regions=[(left, left), (1 - left, 1 - left), (extractor, extractor)])
    side = torch.arange(30) % 5 >= 2
    assert torch.equal(side[found.best.flatten()], side)
    assert found.best[0, 5, 4] == 29


def test_an_image_whose_mask_is_empty_has_no_matches(features):
    mask = torch.ones(2, 6, 5)
    mask[1] = 0
    found = match(features(1, images=2), features(2), structure_mask=mask)
    assert (found.best[0] != NO_MATCH).all()
    assert (found.best[1] == NO_MATCH).all()
    assert found.confidence[1].sum() == 0
    assert unmatched(found) == [1]


class TestRefused:
    @pytest.mark.parametrize("empty", ["structure_mask", "appearance_mask"])
    def test_empty_masks(self, features, empty):
        with pytest.raises(ValueError, match="Nothing can be matched"):
            match(features(1), features(2), **{empty: torch.zeros(1, 64, 64)})

    def test_masks_without_overlap_with_the_regions(self, features):
        left = torch.zeros(1, 6, 5)
        left[..., :2] = 1
        with pytest.raises(ValueError, match="no two that lie in the same regions"):
            match(features(1), features(2), structure_mask=left, appearance_mask=1 - left, regions=[(left, left)])

    def test_an_empty_region(self, features):
        with pytest.raises(ValueError, match="The appearance mask of region 0 is empty"):
            match(features(1), features(2), regions=[(torch.ones(1, 6, 5), torch.zeros(1, 6, 5))])

    def test_features_of_another_network(self, features):
        other = replace(features(2), source={"kind": "DINO", "layer": "11"})
        with pytest.raises(ValueError, match="come from kind random and the appearance's from kind DINO, layer 11"):
            match(features(1), other)

    def test_another_number_of_channels(self, features):
        with pytest.raises(ValueError, match="8 channels and the appearance's 9"):
            match(features(1), features(2, channels=9))

    def test_another_number_of_images(self, features):
        with pytest.raises(ValueError, match="of 3 image.s. and the appearance's of 2"):
            match(features(1, images=3), features(2, images=2))

    def test_another_number_of_masks(self, features):
        with pytest.raises(ValueError, match="of 1 or 3 image"):
            match(features(1, images=3), features(2), structure_mask=torch.ones(2, 6, 5))

    @pytest.mark.parametrize(
        "setting", [{"method": "best"}, {"temperature": 0.0}, {"floor": 1.5}, {"candidates": 0}], ids=str
    )
    def test_settings_out_of_range(self, features, setting):
        with pytest.raises(ValueError, match=r"\.$"):
            match(features(1), features(2), **setting)
