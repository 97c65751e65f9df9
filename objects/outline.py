"""The edge of a mask as lines, for what draws it."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn.functional import pad

TRIANGLES = (((0, 0), (0, 1), (1, 0)), ((1, 1), (1, 0), (0, 1)))
"""The two halves of a square of four pixels, as (row, column) of their corners."""
SIDES = ((0, 1), (1, 2), (2, 0))


def outline(mask: Tensor, threshold: float = 0.5) -> Tensor:
    """[n, 2, (y, x)] in 0..1: the ends of n straight lines, which together lie where a mask [H, W] crosses a threshold.

    The mask is linear between the centers of three neighboring pixels, so each triangle of them is crossed by one line
    or by none (marching triangles, in no order). The border of the image counts as outside: lines close along it.
    """
    height, width = mask.shape
    above = pad(mask.float(), (1, 1, 1, 1)) - threshold
    rows = ((torch.arange(-1, height + 1) + 0.5) / height).clamp(0, 1)
    columns = ((torch.arange(-1, width + 1) + 0.5) / width).clamp(0, 1)
    points = torch.stack(torch.meshgrid(rows, columns, indexing="ij"), dim=-1).to(above)
    lines = []
    for triangle in TRIANGLES:
        corners = [(slice(y, height + 1 + y), slice(x, width + 1 + x)) for y, x in triangle]
        value = torch.stack([above[corner].flatten() for corner in corners], dim=1)
        point = torch.stack([points[corner].flatten(0, 1) for corner in corners], dim=1)
        inside = value > 0
        crossed = inside.any(1) & ~inside.all(1)
        lines.append(_crossings(value[crossed], point[crossed], inside[crossed]))
    return torch.cat(lines)


def _crossings(value: Tensor, point: Tensor, inside: Tensor) -> Tensor:
    """[n, 2, 2]: where the two sides of each triangle are crossed whose ends lie on different sides of the edge.

    value, inside: [n, 3] at the corners, point: [n, 3, 2].
    """
    first, second = (torch.tensor(ends) for ends in zip(*SIDES, strict=True))
    at = value[:, first] / (value[:, first] - value[:, second]).where(inside[:, first] != inside[:, second], torch.inf)
    met = torch.lerp(point[:, first], point[:, second], at[..., None])
    return met[inside[:, first] != inside[:, second]].view(-1, 2, 2)
