"""The probe of blocks: its best rows come first, and features that are read elsewhere come back to where they were."""

import torch
from appearance_transfer.benchmarks.matches.elsewhere import GRID, finer, moved, moved_back
from appearance_transfer.benchmarks.matches.plain import pixels, position
from appearance_transfer.benchmarks.probe_features import best
from appearance_transfer.correspondence.match import match

IMAGES = torch.rand(1, 64, 64, 3, generator=torch.Generator().manual_seed(0))


def test_the_best_rows_come_first_and_those_without_the_measure_not_at_all() -> None:
    values = {"a": {"x": [0.25, 0.5]}, "b": {"x": [1.0, 0.0]}, "c": {"y": [1.0]}}
    assert best(values, "x") == ["b", "a"]


def test_what_positions_do_not_tell_is_found_where_the_image_was() -> None:
    plain, elsewhere = pixels(IMAGES, neighborhood=1), moved_back(pixels(moved(IMAGES), neighborhood=1))
    assert torch.equal(plain.values, elsewhere.values)
    assert finer(plain).grid == (GRID, GRID)


def test_what_positions_alone_tell_is_wrong_by_a_quarter() -> None:
    found = match(position(IMAGES), moved_back(position(moved(IMAGES))))
    index = torch.arange(GRID * GRID).view(GRID, GRID)
    assert torch.equal(found.best[0], index.roll((GRID // 4,) * 2, (0, 1)))
