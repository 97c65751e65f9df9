"""A coarse probability on the pixels of an image: the random walker with priors (Grady, CVPR 2005; IEEE PAMI 2006).

Every pixel takes the probability that a walk from it ends on the object, where steps between unlike colors are rare. It
is one sparse linear system.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import torch
from scipy.sparse import coo_array, diags_array
from scipy.sparse.linalg import spsolve
from torch import Tensor
from torch.nn.functional import interpolate

NEIGHBORS = ((0, 1), (1, 0), (1, 1), (1, -1))
"""The other four of eight are the same edges from their other end."""
Pixel = tuple[float, float]
"""(y, x) as shares of height and width."""


@dataclass(frozen=True)
class WalkerSettings:
    """contrast: of the weight exp(-contrast * squared difference of RGB). prior: weight of the probability at each
    pixel. seed: the same at a pixel that is known. side: pixels of the longer side.
    """

    contrast: float = 200.0
    floor: float = 1e-6
    prior: float = 0.02
    seed: float = 10.0
    side: int = 128


def walk(
    image: Tensor,
    probability: Tensor,
    settings: WalkerSettings | None = None,
    *,
    objects: tuple[Pixel, ...] = (),
    background: tuple[Pixel, ...] = (),
) -> Tensor:
    """[H', W'] in 0..1: the probability of the object at every pixel of the image, whose longer side is `side`.

    image: [H, W, C] in 0..1, or the channels of a latent in a like range. probability: [h, w] in 0..1, at any size.
    objects, background: pixels that are known.
    """
    expected = settings or WalkerSettings()
    pixels = walked_pixels(image, expected.side)
    size = pixels.shape[1], pixels.shape[2]
    prior = _resized(probability[None].float().cpu(), size)[0].double().numpy()
    target, weight = prior.copy(), np.full(size, expected.prior)
    for seeds, label in ((objects, 1.0), (background, 0.0)):
        for y, x in seeds:
            cell = min(int(y * size[0]), size[0] - 1), min(int(x * size[1]), size[1] - 1)
            target[cell], weight[cell] = label, expected.seed
    rows, columns, edges = (
        np.concatenate(parts) for parts in zip(*_edges(pixels.double().numpy(), expected), strict=True)
    )
    count = size[0] * size[1]
    adjacency = coo_array((edges, (rows, columns)), shape=(count, count))
    adjacency = (adjacency + adjacency.T).tocsc()
    laplacian = diags_array(adjacency.sum(0)) - adjacency
    solved = spsolve((laplacian + diags_array(weight.ravel())).tocsc(), (weight * target).ravel())
    return torch.from_numpy(solved.reshape(size)).float().clamp(0, 1)


def _edges(pixels: np.ndarray, settings: WalkerSettings) -> Iterator[tuple[np.ndarray, np.ndarray, np.ndarray]]:
    """Both ends and the weight of the edges in each direction; pixels [C, H, W]."""
    height, width = pixels.shape[1:]
    number = np.arange(height * width).reshape(height, width)
    for down, right in NEIGHBORS:
        here = np.s_[: height - down, max(0, -right) : width - max(0, right)]
        there = np.s_[down:, max(0, right) : width - max(0, -right)]
        gap = ((pixels[(slice(None), *here)] - pixels[(slice(None), *there)]) ** 2).sum(0)
        weight = np.exp(-settings.contrast * gap) + settings.floor
        yield number[here].ravel(), number[there].ravel(), weight.ravel()


def walked_pixels(image: Tensor, side: int = WalkerSettings.side) -> Tensor:
    """[C, H', W'] fp32: an image [H, W, C] whose longer side is at most `side` pixels; once more changes nothing."""
    return _resized(image.movedim(-1, 0).float().cpu(), _walking_size(image.shape[0], image.shape[1], side))


def _walking_size(height: int, width: int, side: int) -> tuple[int, int]:
    shrink = min(1.0, side / max(height, width))
    return max(1, round(height * shrink)), max(1, round(width * shrink))


def _resized(values: Tensor, size: tuple[int, int]) -> Tensor:
    """[C, H, W] at another size: averaged where it shrinks."""
    mode = "area" if size[0] <= values.shape[-2] and size[1] <= values.shape[-1] else "bilinear"
    return interpolate(values[None], size=size, mode=mode)[0]
