"""Points that a user gives: read from text, and forced to match."""

from __future__ import annotations

import json
import math
import re
import reprlib
from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from .correspondence import NO_MATCH, Correspondence

Point = tuple[float, float]
FORMS = 'Write one "x, y" per line, in pixels, or [{"x": 10, "y": 20}, ...] as point editors do.'


def parse_points(text: str, name: str = "points") -> list[Point]:
    """The points (x, y) in pixels that a text lists, in order; none for an empty text. name: of the input.

    Reads lines "x, y" (also with a space, or several on a line with semicolons between), and the JSON of point
    editors: [{"x": 10, "y": 20}, ...] or [[10, 20], ...]. Raises ValueError with the entry that is no point.
    """
    text = text.strip()
    if text.startswith(("[", "{")):
        try:
            entries = json.loads(text)
        except (ValueError, RecursionError) as error:  # also for whole numbers of thousands of digits
            raise ValueError(f"{name} is no valid JSON ({error}). {FORMS}") from error
        entries = [entries] if isinstance(entries, dict) else entries
    else:
        entries = [re.split(r"[,\s]+", entry.strip(" \t(),")) for entry in re.split(r"[;\n]", text) if entry.strip()]
    return [_point(entry, name) for entry in entries]


def parse_point_lists(text: str, name: str = "points") -> list[list[Point]]:
    """Several lists of points, one after the other with an empty line between; see `parse_points`."""
    return [parse_points(block, name) for block in re.split(r"\n\s*\n", text.strip())]


def force_pairs(
    correspondence: Correspondence,
    structure_points: Sequence[Point],
    appearance_points: Sequence[Point],
    radius: float = 0.0,
) -> Correspondence:
    """Matches in which given points of the structure match given points of the appearance, in every image.

    structure_points, appearance_points: (x, y) in pixels of their images, the i-th with the i-th.
    radius: a part of the structure's width, from 0; the positions around a point within it go along, each to the
        position that lies as far and in the same direction from the appearance's point (or to the border). 0 moves the
        position of the point only.
        Of two points whose circles overlap, the nearer has the position; of two in one place, the first.

    A forced position has this one match; its confidence and its cosine are 1, for they are given, not measured. Raises
    ValueError for lists of different length and for a point outside of its image.
    """
    check_pairs(structure_points, appearance_points, correspondence.structure_image, correspondence.appearance_image)
    if radius < 0:
        raise ValueError(f"The radius is {radius:g}; it must not be below 0.")
    if not structure_points:
        return correspondence
    here = _in_positions(structure_points, correspondence.structure_image, correspondence.grid, "structure")
    there = _in_positions(
        appearance_points, correspondence.appearance_image, correspondence.appearance_grid, "appearance"
    )
    # All pairs of a point and a position of the structure: [points, h, w, (y, x)] from the point's position, in
    # positions.
    positions = torch.cartesian_prod(*(torch.arange(size) for size in correspondence.grid)).view(
        *correspondence.grid, 2
    )
    away = positions - here.floor()[:, None, None]
    spacing = _spacing(correspondence.structure_image, correspondence.grid)
    distance, point = (away * spacing).norm(dim=-1).min(dim=0)  # the first of equals
    forced = distance <= radius * correspondence.structure_image[1]

    ratio = spacing / _spacing(correspondence.appearance_image, correspondence.appearance_grid)
    moved = there[point] + away.gather(0, point[None, ..., None].expand(-1, -1, -1, 2))[0] * ratio
    limits = torch.tensor(correspondence.appearance_grid) - 1
    y, x = moved.floor().long().clamp(min=torch.zeros(2, dtype=torch.int64), max=limits).unbind(-1)
    known = _with_forced(correspondence, forced, y * correspondence.appearance_grid[1] + x)
    if known.subcell is None:
        return known
    # `there` lies where the user put it in its position; `here` lies off the center of its own by what is added
    centered = moved + (0.5 - (here - here.floor()))[point] * ratio
    lying = (centered / torch.tensor(correspondence.appearance_grid)).clamp(0, 1).to(known.subcell)
    subcell = torch.where(forced[..., None].to(known.subcell.device), lying, known.subcell)
    return replace(known, subcell=subcell)


def check_pairs(
    structure_points: Sequence[Point],
    appearance_points: Sequence[Point],
    structure_image: tuple[int, int],
    appearance_image: tuple[int, int],
) -> None:
    """Raise ValueError for lists of different length, and for a point outside of its image (H, W)."""
    if len(structure_points) != len(appearance_points):
        raise ValueError(
            f"There are {len(structure_points)} structure point(s) and {len(appearance_points)} appearance point(s). "
            "Give both lists in the same order and length: the first matches the first, and so on."
        )
    _in_positions(structure_points, structure_image, (1, 1), "structure")
    _in_positions(appearance_points, appearance_image, (1, 1), "appearance")


def matched_points(correspondence: Correspondence, points: Sequence[Point], image: int = 0) -> Tensor:
    """[N, 2] float64, (x, y) in pixels of the appearance: where points of structure number `image` match.

    A point keeps its offset from its position; where matches are finer than a position, it is carried by those around
    it. NaN where nothing matches. Raises ValueError for a point outside of the
    image.
    """
    if not points:
        return torch.zeros(0, 2, dtype=torch.float64)
    here = _in_positions(points, correspondence.structure_image, correspondence.grid, "structure")
    y, x = here.long().unbind(-1)
    match = correspondence.best[image].cpu()[y, x]
    if correspondence.subcell is not None:
        pixels = _warped(correspondence, image, here) * torch.tensor(correspondence.appearance_image)
        return torch.where(match[:, None] == NO_MATCH, torch.nan, pixels).flip(-1)
    width = correspondence.appearance_grid[1]
    there = torch.stack([match // width, match % width], dim=-1) + here.frac()
    pixels = there * _spacing(correspondence.appearance_image, correspondence.appearance_grid)
    return torch.where(match[:, None] == NO_MATCH, torch.nan, pixels).flip(-1)


def _warped(correspondence: Correspondence, image: int, here: Tensor) -> Tensor:
    """[N, (y, x)] float64 shares of the appearance: the matches read bilinearly at points [N, 2] in positions."""
    known = (correspondence.best[image] != NO_MATCH)[..., None].cpu().double()
    field = torch.cat([correspondence.points()[image].cpu().double() * known, known], dim=-1).movedim(-1, 0)[None]
    at = here / here.new_tensor(correspondence.grid) * 2 - 1
    read = grid_sample(field, at.flip(-1)[None, None], padding_mode="border", align_corners=False)[0, :, 0].T
    return read[:, :2] / read[:, 2:].clamp(min=1e-6)


def _with_forced(correspondence: Correspondence, forced: Tensor, position: Tensor) -> Correspondence:
    """The matches, but with the single sure match `position` [h, w] where `forced` [h, w]."""
    device = correspondence.index.device
    forced, position = forced.to(device), position.to(device)
    alone = torch.full_like(correspondence.index, NO_MATCH)
    alone[:, 0] = position
    sure = torch.zeros_like(correspondence.weight)
    sure[:, 0] = 1
    return replace(
        correspondence,
        index=torch.where(forced, alone, correspondence.index),
        weight=torch.where(forced, sure, correspondence.weight),
        cosine=torch.where(forced, 1.0, correspondence.cosine),
        confidence=torch.where(forced, 1.0, correspondence.confidence),
    )


def _in_positions(points: Sequence[Point], image: tuple[int, int], grid: tuple[int, int], which: str) -> Tensor:
    """[points, (y, x)] float64 in positions of the grid: the whole part is the position, the rest where in it."""
    height, width = image
    for x, y in points:
        if not (0 <= x < width and 0 <= y < height):
            raise ValueError(
                f"The {which} point ({x:g}, {y:g}) lies outside of its image, which is {width} pixels wide and "
                f"{height} high. Give x in 0..{width - 1} and y in 0..{height - 1}."
            )
    return torch.tensor([(y, x) for x, y in points], dtype=torch.float64).view(-1, 2) / _spacing(image, grid)


def _spacing(image: tuple[int, int], grid: tuple[int, int]) -> Tensor:
    """Pixels from one place to the next, (y, x) float64."""
    return torch.tensor(image, dtype=torch.float64) / torch.tensor(grid, dtype=torch.float64)


def _point(entry: Any, name: str) -> Point:
    if isinstance(entry, dict):
        entry = [entry.get("x"), entry.get("y")]
    try:
        x, y = (float(number) for number in entry)
    except (TypeError, ValueError, OverflowError) as error:
        raise ValueError(f"{name}: {reprlib.repr(entry)} is no point. {FORMS}") from error
    if not (math.isfinite(x) and math.isfinite(y)):
        raise ValueError(f"{name}: {reprlib.repr(entry)} is no point, its numbers must be finite. {FORMS}")
    return x, y
