"""Rotary positions of keys, turned after they have been recorded. fp32."""

import torch
from appearance_transfer.attention.rotation import moved_along_axis, with_mirrored_columns

AXES, THETA = (8, 12, 12), 10000.0
GRID = (3, 5)
D = sum(AXES)


def drawn(*shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(0))


def rotated(content: torch.Tensor, rows: torch.Tensor, columns: torch.Tensor) -> torch.Tensor:
    """Keys [..., N, d] with this content at these places."""
    at_rows = moved_along_axis(content, rows, AXES[1], THETA, first=AXES[0])
    return moved_along_axis(at_rows, columns, AXES[2], THETA, first=AXES[0] + AXES[1])


def positions() -> tuple[torch.Tensor, torch.Tensor]:
    rows, columns = torch.meshgrid(torch.arange(GRID[0]), torch.arange(GRID[1]), indexing="ij")
    return rows.flatten(), columns.flatten()


def test_turned_keys_are_those_of_the_mirrored_positions() -> None:
    content, (rows, columns) = drawn(2, 4, GRID[0] * GRID[1], D), positions()
    mirrored_keys = with_mirrored_columns(
        rotated(content, rows, columns), GRID, AXES[2], THETA, first=AXES[0] + AXES[1]
    )
    torch.testing.assert_close(mirrored_keys, rotated(content, rows, GRID[1] - 1 - columns), atol=1e-5, rtol=0)


def test_an_image_that_is_its_own_mirror_image_is_read_as_it_is() -> None:
    """Its turned keys are the same keys in another order, of which attention knows nothing."""
    half = drawn(1, 2, *GRID, 2 * D)
    content, values = (half + half.flip(3)).flatten(2, 3).chunk(2, -1)
    rows, columns = positions()
    keys, queries = rotated(content, rows, columns), drawn(1, 2, 7, D)
    mirrored_keys = with_mirrored_columns(keys, GRID, AXES[2], THETA, first=AXES[0] + AXES[1])
    as_it_is, mirrored = (
        torch.nn.functional.scaled_dot_product_attention(queries, k, values) for k in (keys, mirrored_keys)
    )
    torch.testing.assert_close(mirrored, as_it_is, atol=1e-5, rtol=0)


def test_each_key_moves_by_its_own_distance() -> None:
    keys = drawn(1, 2, 3, D)
    apart = torch.stack([moved_along_axis(keys[..., i, :], i, 8, THETA) for i in range(3)], -2)
    torch.testing.assert_close(moved_along_axis(keys, torch.arange(3), 8, THETA), apart, atol=1e-6, rtol=0)
