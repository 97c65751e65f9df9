"""The share of keypoints that are found."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.pck import find_keypoints, pck, reference_sizes, summary


def test_the_threshold_itself_is_found_and_nothing_beyond():
    predicted = torch.tensor([[0.0, 10.0], [6.0, 8.0], [0.0, 10.001], [torch.nan, torch.nan]], dtype=torch.float64)
    assert pck(predicted, torch.zeros(4, 2), size=100, alpha=0.1).tolist() == [True, True, False, False]


def test_per_image_and_per_point_differ_where_images_have_different_numbers(identity):
    """One of one found, none of three: the mean of the shares is 1/2, the share of all is 1/4."""
    one = identity()
    fields = ("index", "weight", "cosine", "confidence")
    two = replace(one, **{name: getattr(one, name).repeat(2, *[1] * (getattr(one, name).ndim - 1)) for name in fields})
    two.index[1] = NO_MATCH
    points = [[(4, 4)], [(4, 4), (12, 12), (20, 20)]]
    per_image, per_point, report = summary(find_keypoints(two, points, points, sizes=[10, 10]))
    assert (per_image, per_point) == (0.5, 0.25)
    assert "image 1: 0 of 3 within 1.0 px" in report
    assert "no match" in report


def test_the_box_is_of_the_mask_or_of_the_keypoints(identity):
    mask = torch.zeros(1, 16, 24)
    mask[:, 3:8, 2:12] = 1
    assert reference_sizes(identity(), [[(0, 0)]], mask) == [20.0]
    assert reference_sizes(identity(), [[(3, 4), (10, 6)]]) == [7.0]
    assert reference_sizes(identity(), [[(3, 4)]], whole_image=True) == [48.0]


@pytest.mark.parametrize("mask", [None, torch.zeros(1, 32, 48)])
def test_without_a_box_there_is_nothing_to_measure_by(identity, mask):
    with pytest.raises(ValueError, match="no box to measure by"):
        reference_sizes(identity(), [[(3, 4)]], mask)


def test_lists_that_do_not_fit_are_refused(identity):
    with pytest.raises(ValueError, match="2 structure keypoint.s. and 1 appearance"):
        find_keypoints(identity(), [[(1, 1), (2, 2)]], [[(1, 1)]], [10])
    with pytest.raises(ValueError, match="2 lists of appearance keypoints for 1 image"):
        find_keypoints(identity(), [[(1, 1)]], [[(1, 1)], [(1, 1)]], [10])
