"""Which way round matches better: decided picture by picture, inside masks, by the mean cosine."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.match import match
from appearance_transfer.correspondence.mirroring import facing, likeness, turn


def test_the_pose_whose_features_are_those_of_the_structure_wins(features):
    structure, other = features(1, pictures=2), features(2, pictures=2)
    first_fits = replace(other, values=torch.cat([structure.values[:1], other.values[1:]]))
    second_fits = replace(other, values=torch.cat([other.values[:1], structure.values[1:]]))
    found = facing(structure, first_fits, second_fits)
    assert found.turned.tolist() == [False, True]
    torch.testing.assert_close(found.as_it_is[0], torch.tensor(1.0))
    torch.testing.assert_close(found.mirrored[1], torch.tensor(1.0))


def test_without_a_difference_nothing_is_turned(features):
    one = features(1)
    assert not facing(one, one, one).turned.any()


def test_the_mask_is_mirrored_with_the_picture(features):
    """Only the left third of the appearance counts: in its mirror image that is the right third."""
    structure, looks = features(1, grid=(6, 6)), features(2, grid=(6, 6))
    mask = torch.zeros(1, 48, 48)
    mask[..., :16] = 1
    mirrored = replace(looks, values=looks.values.clone())
    mirrored.values[..., 4:] = structure.values[..., 4:]
    found = facing(structure, looks, mirrored, structure_mask=mask.flip(-1), appearance_mask=mask)
    torch.testing.assert_close(found.mirrored, torch.ones(1))
    inside = {"structure_mask": mask.flip(-1), "appearance_mask": mask}
    torch.testing.assert_close(found.as_it_is, likeness(match(structure, looks, **inside)))


def test_likeness_is_the_mean_cosine_of_what_matches(identity):
    matches = identity(2, 2)
    matches.index[0, 0, 0] = NO_MATCH
    matches.cosine[0] = torch.tensor([[9.0, 9.0], [0.5, 0.2]])
    assert likeness(matches).tolist() == pytest.approx([0.35])
    matches.index[:] = NO_MATCH
    assert likeness(matches).tolist() == [0]


@pytest.mark.parametrize("shape", [(2, 4, 5, 3), (1, 4, 5, 3), (2, 4, 5), (1, 4, 5)])
def test_turning(shape):
    pictures = torch.rand(shape)
    left, turned = turn(pictures, torch.tensor([False, True]))
    assert torch.equal(left, pictures[0])
    assert torch.equal(turned, pictures[-1].flip(1))
