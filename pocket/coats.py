"""Coat patterns as functions of the position on a part."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from .scene import COATS


def pattern(coat: Tensor, along: Tensor, around: Tensor, phase: Tensor) -> Tensor:
    """How much of the coat's second color each spot shows.

    coat: [N] indexes into COATS; along, around: [N] in 0..1 (0.5 around is the back, 0 and 1 the belly); phase: [N,
    2] in 0..1. Returns [N] in 0..1, with soft edges that a small autoencoder can keep.
    """
    amount = torch.zeros_like(along)
    for index, name in enumerate(COATS):
        chosen = coat == index
        if name != "plain" and bool(chosen.any()):
            height = _HEIGHTS[name](along[chosen], around[chosen], phase[chosen])
            amount[chosen] = torch.sigmoid(10.0 * height)
    return amount


def _striped(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    return torch.sin(2 * math.pi * (3.5 * u + phase[:, 0]))


def _lined(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    return torch.cos(2 * math.pi * 6.0 * (v - 0.5))


def _spotted(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    row = 8.0 * v
    column = 3.5 * u + phase[:, 0] + 0.5 * torch.floor(row)
    across, down = column - torch.floor(column) - 0.5, row - torch.floor(row) - 0.5
    return 4.0 * (0.36 - torch.sqrt(across**2 + down**2))


def _patched(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    a, b = 2 * math.pi * phase[:, 0], 2 * math.pi * phase[:, 1]
    waves = torch.sin(8.0 * u + a) * torch.cos(2 * math.pi * 2 * v + b) + torch.sin(5.0 * u - b + 2 * math.pi * v)
    return 1.2 * waves


def _belted(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    return 8.0 * (0.16 - (u - 0.42 - 0.16 * phase[:, 0]).abs())


def _saddled(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    return 2.0 * (torch.cos(2 * math.pi * (v - 0.5)) - 0.35)


def _dipped(u: Tensor, v: Tensor, phase: Tensor) -> Tensor:
    return 6.0 * (0.40 + 0.2 * phase[:, 0] - u)


_HEIGHTS = {
    "striped": _striped,
    "lined": _lined,
    "spotted": _spotted,
    "patched": _patched,
    "belted": _belted,
    "saddled": _saddled,
    "dipped": _dipped,
}
