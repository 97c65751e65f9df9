"""Points that a user gives."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch
from appearance_transfer.correspondence.correspondence import NO_MATCH
from appearance_transfer.correspondence.points import force_pairs, matched_points, parse_point_lists, parse_points

POINTS = [(1.0, 2.0), (3.5, -4.0)]


@pytest.mark.parametrize(
    "text",
    [
        "1, 2\n3.5, -4",
        " 1 2 \n\n3.5\t-4\n",
        "(1, 2); (3.5, -4)",
        "[[1, 2], [3.5, -4]]",
        '[{"x": 1, "y": 2}, {"y": -4, "x": 3.5}]',
    ],
)
def test_points_are_read_in_the_usual_ways(text):
    assert parse_points(text) == POINTS


def test_no_text_is_no_points():
    assert parse_points(" \n") == []


@pytest.mark.parametrize("text", ["1", "1, 2, 3", "left, top", "[1, 2]", '{"x": 1}', "[[1, 2]", "nan, 1", "[null]"])
def test_what_is_no_point_is_refused(text):
    with pytest.raises(ValueError, match='Write one "x, y" per line'):
        parse_points(text)


def test_an_empty_line_begins_the_next_image():
    assert parse_point_lists("1, 2\n3, 4\n \n5, 6") == [[(1, 2), (3, 4)], [(5, 6)]]


def test_a_forced_position_matches_what_it_was_told_and_nothing_else_changes(identity):
    before = identity()
    after = force_pairs(before, [(9.0, 3.0)], [(47.9, 31.9)])
    assert after.best[0, 0, 1] == 23
    changed = after.index != before.index
    assert changed.sum() == 1
    assert after.confidence[0, 0, 1] == 1


def test_a_soft_match_becomes_one(identity):
    one = identity()
    soft = replace(
        one,
        index=one.index.expand(-1, 3, -1, -1).contiguous(),
        weight=one.weight.expand(-1, 3, -1, -1) / 3,
        confidence=one.confidence / 2,
    )
    forced = force_pairs(soft, [(0, 0)], [(20, 20)])
    assert forced.index[0, :, 0, 0].tolist() == [14, NO_MATCH, NO_MATCH]
    assert forced.weight[0, :, 0, 0].tolist() == [1, 0, 0]
    assert forced.confidence[0, 0].tolist() == [1, 0.5, 0.5, 0.5, 0.5, 0.5]


def test_the_positions_around_go_along_and_stop_at_the_border(identity):
    moved = force_pairs(identity(4, 4), [(12, 12)], [(28, 12)], radius=8.0 / 32)
    assert moved.best[0].tolist() == [[0, 3, 2, 3], [6, 7, 7, 7], [8, 11, 10, 11], [12, 13, 14, 15]]


def test_the_radius_is_a_part_of_the_width(identity):
    found = identity(20, 40)
    moved = force_pairs(found, [(160, 80)], [(200, 80)], radius=0.05)
    assert (moved.best != found.best).sum() == 13  # two positions to each side, as the width holds 40


def test_the_nearer_of_two_points_has_the_position(identity):
    moved = force_pairs(identity(1, 5), [(4, 4), (36, 4)], [(36, 4), (4, 4)], radius=32 / 40)
    assert moved.best[0].tolist() == [[4, 4, 4, 0, 0]]


def test_points_keep_their_offset_from_the_position(identity):
    points = matched_points(force_pairs(identity(), [(4, 4)], [(20, 12)]), [(1.5, 7.0), (33.25, 31.0)])
    assert points.tolist() == [[17.5, 15.0], [33.25, 31.0]]


def test_a_point_without_a_match_is_not_a_number(identity):
    none = replace(identity(), index=torch.full((1, 1, 4, 6), NO_MATCH))
    assert matched_points(none, [(1, 1)]).isnan().all()


def test_lists_of_different_length_are_refused(identity):
    with pytest.raises(ValueError, match="2 structure point.s. and 1 appearance"):
        force_pairs(identity(), [(1, 1), (2, 2)], [(1, 1)])


@pytest.mark.parametrize("point", [(48, 3), (-0.5, 3), (3, 32)])
def test_a_point_outside_of_the_image_is_refused_with_the_numbers(identity, point):
    with pytest.raises(ValueError, match=r"x in 0\.\.47 and y in 0\.\.31"):
        force_pairs(identity(), [(1, 1)], [point])


def test_a_negative_radius_is_refused(identity):
    with pytest.raises(ValueError, match="must not be below 0"):
        force_pairs(identity(), [(1, 1)], [(1, 1)], radius=-1)
