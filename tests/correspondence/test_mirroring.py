"""Which way round matches better: decided image by image, inside masks, by the mean cosine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.match import match
from appearance_transfer.correspondence.mirroring import facing, matched_side, mean_cosine, mirrored_back, turn


def test_the_pose_whose_features_are_those_of_the_structure_wins(features):
    structure, other = features(1, images=2), features(2, images=2)
    first_fits = replace(other, values=torch.cat([structure.values[:1], other.values[1:]]))
    second_fits = replace(other, values=torch.cat([other.values[:1], structure.values[1:]]))
    found = facing(structure, first_fits, second_fits)
    assert found.flipped.tolist() == [False, True]
    torch.testing.assert_close(found.as_it_is[0], torch.tensor(1.0))
    torch.testing.assert_close(found.mirrored[1], torch.tensor(1.0))


def test_without_a_difference_nothing_is_turned(features):
    one = features(1)
    assert not facing(one, one, one).flipped.any()


def test_the_mask_is_mirrored_with_the_image(features):
    """Only the left third of the appearance counts: in its mirror image that is the right third."""
    structure, appearance = features(1, grid=(6, 6)), features(2, grid=(6, 6))
    mask = torch.zeros(1, 48, 48)
    mask[..., :16] = 1
    mirrored = replace(appearance, values=appearance.values.clone())
    mirrored.values[..., 4:] = structure.values[..., 4:]
    found = facing(structure, appearance, mirrored, structure_mask=mask.flip(-1), appearance_mask=mask)
    torch.testing.assert_close(found.mirrored, torch.ones(1))
    inside = {"structure_mask": mask.flip(-1), "appearance_mask": mask}
    torch.testing.assert_close(found.as_it_is, mean_cosine(match(structure, appearance, **inside)))


def test_likeness_is_the_mean_cosine_of_what_matches(identity):
    matches = identity(2, 2)
    matches.index[0, 0, 0] = NO_MATCH
    matches.cosine[0] = torch.tensor([[9.0, 9.0], [0.5, 0.2]])
    assert mean_cosine(matches).tolist() == pytest.approx([0.35])
    matches.index[:] = NO_MATCH
    assert mean_cosine(matches).tolist() == [0]


@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (1, 4, 5, 3), (2, 4, 5), (1, 4, 5)])
def test_turning(shape):
    images = torch.rand(shape)
    left, flipped = turn(images, torch.tensor([False, True]))
    assert torch.equal(left, images[0])
    assert torch.equal(flipped, images[-1].flip(1))


def test_the_side_that_is_more_alike_gives_the_matches_of_the_image_as_it_is(features):
    structure, other = features(1), features(2)
    matches, mirror = matched_side(structure, other, structure)
    assert mirror.tolist() == [True]
    assert torch.equal(matches.index, mirrored_back(match(structure, structure)).index)
    matches, mirror = matched_side(structure, structure, other)
    assert mirror.tolist() == [False]
    assert torch.equal(matches.index, match(structure, structure).index)
