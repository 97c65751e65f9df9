"""Ten cases in which one dragged point repairs a part that is matched wrongly."""

import pytest
import torch
from appearance_transfer.correspondence.features import Features
from appearance_transfer.correspondence.match import FIELD, match
from torch import Tensor
from torch.nn.functional import interpolate

SIDE, GRID = 128, 24
PARTS = [(4, 4), (4, 15), (15, 4), (15, 15), (9, 9), (4, 9), (9, 4), (15, 9), (9, 15), (6, 12)]
"""The top left position of a part of 5 x 5, in each case."""
SIZE, AWAY = 5, 6


def scene(part: tuple[int, int], seed: int) -> tuple[Features, Features, tuple[int, int]]:
    """Structure, appearance, and how far the part has moved in the appearance.

    The appearance shows the structure, but for one part that has moved by six positions. Where the part was shows the
    same features a little weaker, so that a match is drawn to the old place: two legs that look alike.
    """
    noise = torch.randn(1, 32, 9, 9, generator=torch.Generator().manual_seed(seed))
    structure = interpolate(noise, size=(GRID, GRID), mode="bicubic")[0]
    moved = (0, AWAY if part[1] < GRID // 2 else -AWAY)
    appearance = structure.clone()
    y, x = part
    appearance[:, y : y + SIZE, x + moved[1] : x + moved[1] + SIZE] = structure[:, y : y + SIZE, x : x + SIZE]
    return Features(structure[None], (SIDE, SIDE)), Features(appearance[None], (SIDE, SIDE)), moved


def error(points: Tensor, part: tuple[int, int], moved: tuple[int, int]) -> float:
    """The mean distance of the part's matches to where the part is, in shares of the image."""
    y, x = (torch.arange(start, start + SIZE) + 0.5 for start in part)
    true = torch.cartesian_prod(y + moved[0], x + moved[1]).view(SIZE, SIZE, 2) / GRID
    inside = points[part[0] : part[0] + SIZE, part[1] : part[1] + SIZE]
    return float((inside - true).norm(dim=-1).mean())


@pytest.mark.parametrize(("case", "part"), list(enumerate(PARTS)))
def test_one_point_repairs_a_part(case, part) -> None:
    structure, appearance, moved = scene(part, seed=case)
    middle = tuple((start + SIZE / 2) * SIDE / GRID for start in part)
    at, to = [(middle[1], middle[0])], [(middle[1] + moved[1] * SIDE / GRID, middle[0] + moved[0] * SIDE / GRID)]
    plain = match(structure, appearance, method=FIELD).points()[0]
    dragged = match(structure, appearance, method=FIELD, forced=(at, to)).points()[0]
    before, after = error(plain, part, moved), error(dragged, part, moved)
    assert before > 0.15, "the part is matched wrongly"
    assert after < 0.1, "one point repairs it"
    far = torch.ones(GRID, GRID, dtype=torch.bool)
    far[max(0, part[0] - 8) : part[0] + SIZE + 8, max(0, part[1] - 8) : part[1] + SIZE + 8] = False
    if far.any():
        assert (dragged - plain)[far].norm(dim=-1).max() < 0.06, "and the rest stays"
