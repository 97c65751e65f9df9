"""Places between the positions of a grid: exact on centers, bilinear between them."""

import pytest
import torch
from appearance_transfer.correspondence.between import PARTS, positions_around
from torch.nn.functional import grid_sample


@pytest.mark.parametrize("grid", [(8, 8), (5, 7), (1, 3), (96, 33)])
def test_a_center_is_its_position_exactly(grid) -> None:
    y, x = ((torch.arange(size) + 0.5) / size for size in grid)
    index, fraction = positions_around(torch.cartesian_prod(y, x), grid)
    assert torch.equal(index[:, 0], torch.arange(grid[0] * grid[1]))
    assert torch.equal(fraction, torch.tensor([1.0, 0, 0, 0]).expand_as(fraction))


def test_it_is_bilinear_sampling() -> None:
    """But for the fineness: 1/256 of a position along each axis."""
    generator = torch.Generator().manual_seed(0)
    values, points = torch.randn(3, 6, 9, generator=generator), torch.rand(40, 2, generator=generator)
    index, fraction = positions_around(points, (6, 9))
    ours = (values.flatten(1)[:, index] * fraction).sum(-1)
    expected = grid_sample(
        values[None], (points.flip(-1) * 2 - 1)[None, :, None], padding_mode="border", align_corners=False
    )[0, :, :, 0]
    steepest = (values.amax() - values.amin()) * 2
    assert (ours - expected).abs().max() < steepest / PARTS
    torch.testing.assert_close(fraction.sum(-1), torch.ones(40))


def test_beyond_the_outermost_centers_it_is_the_outermost_position() -> None:
    index, fraction = positions_around(torch.tensor([[0.0, 1.0], [1.0, 0.0]]), (4, 4))
    assert index[:, 0].tolist() == [3, 12]
    assert fraction[:, 0].tolist() == [1.0, 1.0]
