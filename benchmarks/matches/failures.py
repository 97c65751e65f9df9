"""The pairs that are matched worst as images: what was found above, what is true below."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import pad

from ...correspondence.correspondence import Correspondence
from ...correspondence.draw import GAP, draw_matches, of_image
from ...correspondence.points import Point
from ..reporting.sheet import write_sheet
from ..transfers.pairs import RenderedPairs
from .hard_cases import Structures

ROWS, WIDTH, LINES = 3, 280, 8
"""How many pairs, of how many pixels across, with at most so many lines each."""


@dataclass(frozen=True, eq=False)
class Worst:
    """images: [ROWS, H, W, 3] in 0..1. fractions: of their keypoints, how many were found."""

    images: Tensor
    fractions: list[float]


def by_side(
    structures: Structures, truth: RenderedPairs, matches: Correspondence, fractions: Tensor
) -> dict[str, Worst]:
    """Among the pairs as they are: those that face the same way, and those that do not."""
    same = torch.tensor([pair.same_side for pair in truth.pairs])
    kinds = {"facing the same way": same, "facing opposite ways": ~same}
    return {name: worst(structures, truth, matches, fractions, among) for name, among in kinds.items() if among.any()}


def write_failures(path: Path, failures: Mapping[str, Worst]) -> None:
    """A column per kind: what was found of each pair, and what is true below it."""
    below = [[f"found: {', '.join(f'{fraction:.2f}' for fraction in one.fractions)}"] for one in failures.values()]
    write_sheet(path, {name: one.images for name, one in failures.items()}, below=below)


def worst(
    structures: Structures, truth: RenderedPairs, matches: Correspondence, fractions: Tensor, among: Tensor
) -> Worst:
    """Of the pairs in `among`, bool [B], those of which the smallest share of keypoints, `fractions` [B], was found.

    Where there are fewer than ROWS, the last one again; there has to be one.
    """
    order = fractions.masked_fill(~among, torch.inf).argsort()[: int(among.sum())].tolist()
    order = (order + order[-1:] * ROWS)[:ROWS]
    points = structures.keypoints(truth).structure
    drawn = []
    for i in order:
        images = structures.images[i : i + 1], truth.appearance.image[i : i + 1]
        true = _as_matches(structures.spots[i], truth.appearance.mask.shape[1:])
        starts = points[i][:: max(1, len(points[i]) // LINES)]
        cells = [_drawn(*images, one, starts) for one in (of_image(matches, i), true)]
        drawn.append(torch.cat(cells))
    return Worst(torch.stack(drawn), [float(fractions[i]) for i in order])


def _drawn(structure: Tensor, appearance: Tensor, matches: Correspondence, starts: list[Point]) -> Tensor:
    """[H, WIDTH, 3], of the same height for structures of any shape."""
    across = sum(image.shape[2] / image.shape[1] for image in (structure, appearance)) + GAP
    sheet = draw_matches(structure, appearance, matches, points=starts, height=int(WIDTH / across))[0]
    right, below = WIDTH - sheet.shape[1], int(WIDTH / (2 + GAP)) - sheet.shape[0]
    return pad(sheet, (0, 0, 0, right, below // 2, below - below // 2), value=1.0)


def _as_matches(spots: Tensor, appearance: torch.Size) -> Correspondence:
    """The truth as matches, pixel by pixel."""
    known = (spots >= 0).float()[None]
    size = (appearance[0], appearance[1])
    return Correspondence(spots[None, None], known[None], known, known, size, (spots.shape[0], spots.shape[1]), size)
