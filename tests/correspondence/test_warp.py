"""Matches on other grids, and what they carry."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.resample import resample_matches
from appearance_transfer.correspondence.warp import warp


@pytest.mark.parametrize("grid", [(8, 12), (4, 6), (2, 3), (7, 11), (32, 48), (1, 1)])
def test_everything_still_matches_itself_on_another_grid(identity, grid):
    other = resample_matches(identity(), grid, grid)
    assert other.best.flatten().tolist() == list(range(grid[0] * grid[1]))
    assert other.appearance_grid == grid


def test_matches_are_carried_as_patches(identity):
    swapped = replace(identity(1, 2), index=torch.tensor([[[[1, 0]]]]))
    assert resample_matches(swapped, (2, 4), (2, 4)).best[0].tolist() == [[2, 3, 0, 1], [6, 7, 4, 5]]


def test_grids_of_both_images_change_on_their_own(identity):
    finer = resample_matches(identity(2, 2), (2, 2), (4, 4))
    assert finer.best[0].tolist() == [[5, 7], [13, 15]]


def test_no_match_stays_none(identity):
    partly = replace(identity(1, 2), index=torch.tensor([[[[NO_MATCH, 0]]]]))
    assert resample_matches(partly, (1, 4), (1, 4)).best[0].tolist() == [[NO_MATCH, NO_MATCH, 0, 1]]


@pytest.mark.parametrize("size", [(4, 6), (32, 48), (8, 12), (31, 47)])
def test_the_identity_carries_an_image_as_it_is(identity, size):
    values = torch.rand(1, 3, *size)
    assert torch.equal(warp(values, identity()), values)


def test_whole_patches_are_carried_at_full_size(identity):
    """16 x 16 positions, a 128 px image: its blocks change positions, its pixels stay."""
    order = torch.randperm(256, generator=torch.Generator().manual_seed(0))
    matches = replace(identity(16, 16), index=order.view(1, 1, 16, 16))
    values = torch.rand(1, 3, 128, 128)
    blocks = values.unfold(2, 8, 8).unfold(3, 8, 8).flatten(2, 3)
    expected = blocks[:, :, order].unflatten(2, (16, 16)).transpose(3, 4).reshape(1, 3, 128, 128)
    assert torch.equal(warp(values, matches), expected)


def test_soft_matches_carry_the_mean(identity):
    matches = replace(
        identity(1, 2),
        index=torch.tensor([[[[0, 1]], [[1, NO_MATCH]]]]),
        weight=torch.tensor([[[[0.75, 1.0]], [[0.25, 0.0]]]]),
    )
    assert warp(torch.tensor([[[[4.0, 8.0]]]]), matches).tolist() == [[[[5.0, 8.0]]]]


def test_what_does_not_match_shows_the_fallback(identity):
    partly = replace(identity(1, 2), index=torch.tensor([[[[NO_MATCH, 0]]]]), weight=torch.tensor([[[[0.0, 1.0]]]]))
    values = torch.tensor([[[[4.0, 8.0]]]], dtype=torch.float16)
    assert warp(values, partly).tolist() == [[[[0.0, 4.0]]]]
    warped = warp(values, partly, fallback=torch.full((1, 1, 2, 4), 7.0))
    assert warped[0, 0].tolist() == [[7, 7, 4, 4]] * 2
    assert warped.dtype == torch.float16


@pytest.mark.parametrize(
    ("values", "fallback", "sentence"),
    [
        (torch.rand(2, 3, 4, 6), None, "of 1 or 1 image"),
        (torch.rand(1, 3, 4, 6), torch.rand(1, 1, 4, 6), "3 channels and the fallback has 1"),
        (torch.rand(1, 3, 4, 6), torch.rand(3, 3, 4, 6), "The fallback should be"),
    ],
)
def test_what_does_not_fit_is_refused(identity, values, fallback, sentence):
    with pytest.raises(ValueError, match=sentence):
        warp(values, identity(), fallback)
