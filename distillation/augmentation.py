"""More images out of few: both images of a pair change in the same way (pix2pix-zero, appendix A).

The paper names the changes: brightness, contrast, hue, saturation, noise, random crops. How strong they are it does not
say; these are mild, so that an edit of color (red coat -> blue coat) survives them.
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

BRIGHTNESS, CONTRAST, SATURATION = 0.1, 0.2, 0.2
"""Largest change of the factor, up or down."""
HUE = 0.03
"""Largest turn, as a share of the color circle."""
NOISE = 0.02
"""Largest standard deviation."""
SMALLEST_CROP = 0.9
"""Side of the smallest crop, as a share of the image's."""
GRAY = (0.299, 0.587, 0.114)


def augmented(before: Tensor, after: Tensor) -> tuple[Tensor, Tensor]:
    """Pairs [B, 3, S, S] in 0..1, each changed in a way of its own, drawn from PyTorch's default generator."""
    both = torch.stack([before, after], dim=1)
    both = _recolored(_cropped(both))
    deviation = NOISE * torch.rand_like(both[:, :1, :1, :1, :1])
    both = (both + deviation * torch.randn_like(both[:, :1])).clamp(0, 1)
    return both[:, 0], both[:, 1]


def _cropped(both: Tensor) -> Tensor:
    """A square anywhere in each image, [B, 2, 3, S, S], enlarged to the size of the whole."""
    count = len(both)
    side = 1 - (1 - SMALLEST_CROP) * torch.rand(count, 1).to(both)
    center = (1 - side) * (2 * torch.rand(count, 2).to(both) - 1)  # in -1..1, as the grid's coordinates
    positions = torch.cat([side[..., None] * torch.eye(2).to(both), center[..., None]], dim=-1)
    joined = both.flatten(1, 2)
    grid = F.affine_grid(positions, list(joined.shape), align_corners=False)
    return F.grid_sample(joined, grid, padding_mode="border", align_corners=False).view_as(both)


def _recolored(both: Tensor) -> Tensor:
    matrices, offsets = _color_changes(len(both))
    mixed = torch.einsum("bij,bpjhw->bpihw", matrices.to(both), both)
    return mixed + offsets.to(both)[:, None, :, None, None]


def _color_changes(count: int) -> tuple[Tensor, Tensor]:
    """What becomes of a color: matrix [count, 3, 3] and offset [count, 3]."""

    def factors(width: float) -> Tensor:
        return 1 + width * (2 * torch.rand(count, 1, 1) - 1)

    to_gray = torch.tensor(GRAY).expand(3, 3)
    saturation, contrast, brightness = factors(SATURATION), factors(CONTRAST), factors(BRIGHTNESS)
    saturated = saturation * torch.eye(3) + (1 - saturation) * to_gray
    matrix = brightness * contrast * saturated @ _turns(2 * math.pi * HUE * (2 * torch.rand(count) - 1))
    offset = (brightness * (1 - contrast) / 2)[..., 0].expand(-1, 3)  # contrast turns about middle gray
    return matrix, offset


def _turns(angles: Tensor) -> Tensor:
    """Rotations [n, 3, 3] of colors about the gray axis (Rodrigues)."""
    axis = torch.full((3,), 1 / math.sqrt(3))
    cross = torch.linalg.cross(axis.expand(3, 3), torch.eye(3)).T
    cosines, sines = angles.cos()[:, None, None], angles.sin()[:, None, None]
    return cosines * torch.eye(3) + sines * cross + (1 - cosines) * torch.outer(axis, axis)
