"""Which of the found objects clicks mean: the connected parts with a click of the object, soft edges included.

What is connected with clicks of both kinds goes to the nearest one.
"""

from __future__ import annotations

import numpy as np
import torch
from scipy.ndimage import distance_transform_edt, label
from torch import Tensor

Cell = tuple[int, int]
"""(row, column) of the grid."""


def chosen(probability: Tensor, objects: tuple[Cell, ...], background: tuple[Cell, ...] = ()) -> Tensor:
    """[h, w] in 0..1: probability where it belongs to what was clicked, 0 elsewhere.

    probability: [h, w] in 0..1; cells above 0.5 are connected to their four neighbors, and cells below belong to what
        is nearest. objects: those on cells below 0.5 choose nothing.
    """
    inside = probability.cpu().numpy() > 0.5
    parts, _ = label(inside)
    nearest = parts[tuple(distance_transform_edt(~inside, return_distances=False, return_indices=True))]
    kept = np.isin(nearest, [parts[cell] for cell in objects if inside[cell]])
    if background:
        kept &= _distance(kept.shape, objects) <= _distance(kept.shape, background)
    return probability * torch.from_numpy(kept).to(probability)


def _distance(shape: tuple[int, ...], cells: tuple[Cell, ...]) -> np.ndarray:
    """[h, w]: how far every cell is from the nearest of `cells`."""
    free = np.ones(shape, dtype=bool)
    free[tuple(zip(*cells, strict=True))] = False
    found: np.ndarray = distance_transform_edt(free)
    return found
