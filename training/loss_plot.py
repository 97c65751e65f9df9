"""The course of a training as an image: every loss over the steps, on a logarithmic scale."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import chain, cycle

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

from .report import Report

SIZE = 768, 432
LEFT, RIGHT, TOP, BOTTOM = 56, 16, 32, 28
FONT = 13
INK = "#000000"
COLORS = "#d1495b", "#2a6f97", "#3c8d40", "#e9a3ac", "#94b7cb"
"""Of the terms, in the order in which they come up."""
GRID = "#dddddd"
SMALLEST = 1e-9
"""Below, a loss is drawn as if it were this."""

Point = tuple[int, float]
"""A step and a loss."""


def loss_plot(reports: Sequence[Report]) -> Tensor:
    """[1, H, W, 3] in 0..1: the whole loss in black, its unweighted terms in colors, each named above."""
    lines: dict[str, list[Point]] = {"loss": [(report.step, report.loss) for report in reports]}
    for report in reports:
        for name, value in report.terms.items():
            lines.setdefault(name, []).append((report.step, value))
    return plot(lines, chain((INK,), cycle(COLORS)))


def plot(lines: Mapping[str, Sequence[Point]], colors: Iterable[str]) -> Tensor:
    """[1, H, W, 3] in 0..1: losses over the steps. lines: their points, in the order of the steps, by name."""
    canvas = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(canvas)
    axes = _Axes(lines)
    _draw_grid(pen, axes)
    x = LEFT
    for (name, points), color in zip(lines.items(), colors, strict=False):
        _draw_line(pen, [axes.position(*point) for point in points], color)
        pen.text((x, TOP // 2), name, color, anchor="lm", font_size=FONT)
        x += round(pen.textlength(name, font_size=FONT)) + 2 * FONT
    return torch.from_numpy(np.asarray(canvas, np.float32) / 255)[None]


class _Axes:
    """Where a step and a loss lie on the canvas."""

    def __init__(self, lines: Mapping[str, Sequence[Point]]) -> None:
        steps = [step for points in lines.values() for step, _ in points] or [0]
        heights = [_decade(value) for points in lines.values() for _, value in points] or [0.0]
        self.first, self.last = min(steps), max(max(steps), min(steps) + 1)
        self.low, self.high = math.floor(min(heights)), math.floor(max(heights)) + 1

    def position(self, step: int, value: float) -> tuple[float, float]:
        across = (step - self.first) / (self.last - self.first)
        up = (_decade(value) - self.low) / (self.high - self.low)
        width, height = SIZE[0] - LEFT - RIGHT, SIZE[1] - TOP - BOTTOM
        return LEFT + across * width, SIZE[1] - BOTTOM - up * height


def _decade(value: float) -> float:
    return math.log10(max(value, SMALLEST))


def _draw_grid(pen: ImageDraw.ImageDraw, axes: _Axes) -> None:
    for power in range(axes.low, axes.high + 1):
        left, y = axes.position(axes.first, 10.0**power)
        pen.line((left, y, SIZE[0] - RIGHT, y), GRID)
        pen.text((LEFT - 6, y), f"1e{power}", "black", anchor="rm", font_size=FONT)
    for step, anchor in ((axes.first, "la"), (axes.last, "ra")):
        x, y = axes.position(step, 10.0**axes.low)
        pen.text((x, y + 6), f"step {step}", "black", anchor=anchor, font_size=FONT)


def _draw_line(pen: ImageDraw.ImageDraw, points: list[tuple[float, float]], color: str) -> None:
    if len(points) == 1:
        pen.circle(points[0], 2, fill=color)
    pen.line(points, color)
