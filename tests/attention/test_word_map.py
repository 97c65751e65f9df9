"""The mask of a word, from maps whose answer can be read off. fp32, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.attention.word_map import word_mask

GRID = (4, 6)


def attention(positions: dict[tuple[int, int], float], column: int = 2, tokens: int = 5) -> torch.Tensor:
    """[1, 24, tokens]: the named positions of one column; 0 elsewhere."""
    maps = torch.zeros(1, *GRID, tokens)
    for (row, column_of_grid), value in positions.items():
        maps[0, row, column_of_grid, column] = value
    return maps.flatten(1, 2)


def test_a_position_spreads_to_its_neighbors_and_no_further():
    mask = word_mask(attention({(1, 1): 0.7}), [2], GRID, GRID)
    expected = torch.zeros(1, *GRID)
    expected[:, 0:3, 0:3] = 1
    assert torch.equal(mask, expected)


def test_the_threshold_is_a_share_of_the_strongest_position():
    maps = attention({(0, 0): 0.5, (0, 3): 0.16, (3, 5): 0.14})
    assert word_mask(maps, [2], GRID, GRID)[0, 0].tolist() == [1, 1, 1, 1, 1, 0]
    assert not word_mask(maps, [2], GRID, GRID)[0, 3].any()
    assert word_mask(maps, [2], GRID, GRID, threshold=0.2)[0, 3].tolist() == [0] * 4 + [1, 1]


def test_a_soft_mask_holds_the_shares():
    soft = word_mask(attention({(0, 0): 0.5, (0, 4): 0.1}), [2], GRID, GRID, threshold=0)
    torch.testing.assert_close(soft[0, 0], torch.tensor([1.0, 1.0, 0.0, 0.2, 0.2, 0.2]))
    assert soft.amax() == 1


def test_the_tokens_of_a_word_count_together():
    """Neither half reaches the threshold alone."""
    maps = attention({(0, 0): 1.0}, column=1) + attention({(3, 4): 0.2}, column=2) + attention({(3, 4): 0.2}, column=3)
    assert not word_mask(maps, [1, 2], GRID, GRID)[0, 3, 4]
    assert word_mask(maps, [1, 2, 3], GRID, GRID)[0, 3, 4]


def test_it_is_enlarged_without_blur():
    maps = attention({(0, 0): 1.0})
    small, large = word_mask(maps, [2], GRID, GRID), word_mask(maps, [2], GRID, (8, 12))
    assert torch.equal(large, small.repeat_interleave(2, dim=1).repeat_interleave(2, dim=2))


def test_images_are_measured_one_by_one():
    faint, strong = attention({(0, 0): 1e-3}), attention({(3, 5): 0.9})
    both = word_mask(torch.cat([faint, strong]), [2], GRID, GRID)
    assert torch.equal(both[:1], word_mask(faint, [2], GRID, GRID))
    assert torch.equal(both[1:], word_mask(strong, [2], GRID, GRID))


@pytest.mark.parametrize("threshold", [0.0, 0.3])
def test_a_word_that_nothing_attends_to_gives_an_empty_mask(threshold):
    mask = word_mask(attention({}), [2], GRID, GRID, threshold=threshold)
    assert torch.equal(mask, torch.zeros(1, *GRID))
