"""Matches as an image: the structure and the appearance side by side, and what belongs together in the same color."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import torch
from torch import Tensor
from torch.nn.functional import interpolate, max_pool2d

from .correspondence import NO_MATCH, Correspondence
from .lines import Line, draw_lines
from .points import Point, matched_points
from .position_colormap import position_colors
from .warp import warp

TINT, UNMATCHED_TINT = 0.8, 0.25
"""How much of an image its colors cover at the surest match, and of the appearance where nothing matches it."""
GRAY = 0.7
"""How much of their own color the images lose, so that colors tell of matches."""
REACH = 32
"""Several positions of the structure match one of the appearance; what is left out between, in 1/heights, is no gap."""
LINES, HEIGHT = 12, 512
"""How many lines, and of how many pixels the drawing is high, where nothing else is said."""
GAP = 1 / 32
"""Between the images, in heights; white."""


def draw_matches(
    structure: Tensor,
    appearance: Tensor,
    correspondence: Correspondence,
    *,
    points: Sequence[Point] | None = None,
    lines: int = LINES,
    height: int = HEIGHT,
) -> Tensor:
    """[B, height, W, 3] in 0..1: structure on the left, appearance on the right, matching positions in one color.

    Each position of the appearance has a color of its own; the structure is painted with the colors of its matches,
    the more opaque the surer. Lines join some matches, again the more opaque the surer. Where nothing matches, the
    structure stays plain and the appearance pales.

    structure: [B or 1, H, W, 3], appearance: [B or 1, H', W', 3], in 0..1, the images that were matched.
    points: (x, y) in pixels of the structure to draw lines from; if None, from `lines` sure positions far apart.
    height: of the result, in pixels.

    Raises ValueError for images of another shape than those that were matched, or of another number.
    """
    correspondence.check_images(structure, appearance)
    lefts, rights = _at_height(structure, height), _at_height(appearance, height)
    sheets = []
    for i in range(correspondence.images):
        matches = of_image(correspondence, i)
        left, right = lefts[i % len(lefts)], rights[i % len(rights)]
        colors = position_colors((right.shape[1], right.shape[2]), _matched_box(matches)).movedim(-1, 0)
        sheet = _side_by_side(left, right, matches, colors)
        starts = spread_points(matches, lines) if points is None else points
        sheets.append(draw_lines(sheet, _lines(starts, matches, colors, sheet.shape[1])))
    return torch.stack(sheets)


def spread_points(matches: Correspondence, count: int) -> list[Point]:
    """Centers (x, y) in pixels of up to `count` positions of the first structure, sure ones far from one another.

    The first is the surest; each further one has the largest product of its confidence and its distance to those
    already there.
    """
    (h, w), (height, width) = matches.grid, matches.structure_image
    confidence = torch.where(matches.best[0] == NO_MATCH, 0.0, matches.confidence[0]).flatten()
    centers = (torch.cartesian_prod(torch.arange(h), torch.arange(w)) + 0.5) * torch.tensor([height / h, width / w])
    distance, worth = torch.full_like(confidence, torch.inf), confidence
    chosen: list[Point] = []
    while len(chosen) < count and worth.max() > 0:
        position = int(worth.argmax())
        y, x = centers[position].tolist()
        chosen.append((x, y))
        distance = torch.minimum(distance, (centers - centers[position]).norm(dim=1))
        worth = confidence * distance
    return chosen


def _side_by_side(left: Tensor, right: Tensor, matches: Correspondence, colors: Tensor) -> Tensor:
    """[H, W, 3] of two images [3, H, .] of one height; `colors` are those of the right one."""
    painted = warp(colors[None], matches, fallback=left[None])[0]
    sure = interpolate(_opacity(matches)[:, None], size=left.shape[1:], mode="nearest-exact")[0]
    used = interpolate(_used(matches), size=right.shape[1:], mode="bilinear")[0]
    tint = UNMATCHED_TINT + (TINT - UNMATCHED_TINT) * used
    gap = left.new_ones(3, left.shape[1], round(GAP * left.shape[1]))
    halves = [torch.lerp(_muted(left), painted, TINT * sure), gap, torch.lerp(_muted(right), colors, tint)]
    return torch.cat(halves, dim=-1).movedim(0, -1)


def _opacity(matches: Correspondence) -> Tensor:
    """[1, h, w] in 0..1, against the surest match, as the eye sees it: half as sure still shows well."""
    return (matches.confidence / matches.confidence.max().clamp(min=1e-6)).sqrt()


def _used(matches: Correspondence) -> Tensor:
    """[1, 1, h', w'] in 0..1: how sure the surest match of each position of the appearance is, or of one next to it."""
    h, w = matches.appearance_grid
    chosen = matches.best.flatten()
    used = torch.zeros(h * w).scatter_reduce(0, chosen.clamp(min=0), _opacity(matches).flatten(), "amax")
    reach = 2 * max(1, h // REACH) + 1
    return max_pool2d(used.view(1, 1, h, w), reach, stride=1, padding=reach // 2)


def _lines(starts: Sequence[Point], matches: Correspondence, colors: Tensor, width: int) -> list[Line]:
    """Lines over a sheet of that width from points of the structure to their matches; none where nothing matches."""
    height, right_width = colors.shape[1:]
    scale, scale_there = (height / image[0] for image in (matches.structure_image, matches.appearance_image))
    (h, w), (rows, columns) = matches.grid, matches.structure_image
    lines = []
    for (x, y), (x2, y2) in zip(starts, (matched_points(matches, starts) * scale_there).tolist(), strict=True):
        if x2 == x2:  # else it is NaN: nothing matches
            color = colors[:, min(int(y2), height - 1), min(int(x2), right_width - 1)]
            opacity = _opacity(matches)[0, int(y * h / rows), int(x * w / columns)]
            ends = (x * scale, y * scale), (x2 + width - right_width, y2)
            lines.append(Line(*ends, tuple(color.tolist()), float(opacity)))
    return lines


def of_image(correspondence: Correspondence, i: int) -> Correspondence:
    """The matches of the structure with the number i alone, in the processor's memory."""
    names = ["index", "weight", "cosine", "confidence", *(["subcell"] if correspondence.subcell is not None else [])]
    return replace(correspondence, **{name: getattr(correspondence, name)[i : i + 1].cpu() for name in names})


def _matched_box(matches: Correspondence) -> tuple[float, float, float, float]:
    """(left, top, right, bottom) around the appearance's positions that something matches, in shares of the image."""
    h, w = matches.appearance_grid
    position = matches.best[matches.best != NO_MATCH]
    if not len(position):
        return 0.0, 0.0, 1.0, 1.0
    y, x = position // w, position % w
    return int(x.min()) / w, int(y.min()) / h, (int(x.max()) + 1) / w, (int(y.max()) + 1) / h


def _muted(image: Tensor) -> Tensor:
    """The image [3, H, W], paler."""
    return torch.lerp(image, image.mean(dim=0, keepdim=True), GRAY)


def _at_height(images: Tensor, height: int) -> Tensor:
    """Images [B, H, W, 3] as [B, 3, height, W'] of the same shape."""
    size = (height, max(1, round(height * images.shape[2] / images.shape[1])))
    mode = "area" if height < images.shape[1] else "bicubic"
    return interpolate(images[..., :3].movedim(-1, 1).float().cpu(), size=size, mode=mode).clamp(0, 1)
