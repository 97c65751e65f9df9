"""The box around what is matched: coordinates in which two objects of any size and place can be compared."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

Grid = tuple[int, int]


@dataclass(frozen=True)
class Box:
    """Rows top..bottom and columns left..right (ends not included) of a grid of positions."""

    top: int
    bottom: int
    left: int
    right: int

    @classmethod
    def around(cls, mask: Tensor) -> Box:
        """The box around what is true in a mask [h, w]; of the whole grid where that is nothing."""
        if not bool(mask.any()):
            return cls(0, mask.shape[0], 0, mask.shape[1])
        rows, columns = torch.nonzero(mask.any(1))[:, 0], torch.nonzero(mask.any(0))[:, 0]
        return cls(int(rows[0]), int(rows[-1]) + 1, int(columns[0]), int(columns[-1]) + 1)

    @property
    def size(self) -> Grid:
        """(height, width) in positions."""
        return self.bottom - self.top, self.right - self.left

    def part(self, values: Tensor) -> Tensor:
        """What of values [..., h, w] lies inside."""
        return values[..., self.top : self.bottom, self.left : self.right]

    def centers(self, device: torch.device | None = None) -> Tensor:
        """[n, (y, x)] in 0..1 of the box: the centers of its positions, row by row."""
        height, width = self.size
        y = (torch.arange(height, device=device) + 0.5) / height
        x = (torch.arange(width, device=device) + 0.5) / width
        return torch.cartesian_prod(y, x)

    def to_image(self, points: Tensor, grid: Grid) -> Tensor:
        """Points (y, x) in 0..1 of the box as shares of the whole image's height and width."""
        corner, size, whole = (points.new_tensor(pair) for pair in ((self.top, self.left), self.size, grid))
        return (points * size + corner) / whole

    def from_image(self, points: Tensor, grid: Grid) -> Tensor:
        """The way back of `to_image`."""
        corner, size, whole = (points.new_tensor(pair) for pair in ((self.top, self.left), self.size, grid))
        return (points * whole - corner) / size

    def position_of(self, points: Tensor) -> Tensor:
        """[n] int64: the positions of the box, counted row by row, that points [n, (y, x)] in 0..1 of it lie in."""
        height, width = self.size
        y = (points[:, 0] * height).long().clamp(0, height - 1)
        x = (points[:, 1] * width).long().clamp(0, width - 1)
        return y * width + x
