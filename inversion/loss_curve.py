"""The losses of a null-text inversion as a picture and in words."""

from __future__ import annotations

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

SIZE = (480, 300)
LEFT, TOP, RIGHT, BOTTOM = 56, 34, 12, 30  # margins
BEFORE, AFTER, INK, GRID = "#9aa5b1", "#0b6e99", "#1f2933", "#e4e7eb"


def before_and_after(losses: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last loss of every step, mean over the pictures, [N] each, from losses [N, B, updates].

    The last is that before the last update: what the update came to is not computed.
    """
    last = (~losses.isnan()).sum(dim=-1, keepdim=True) - 1
    return losses[..., 0].mean(dim=1), losses.gather(-1, last).squeeze(-1).mean(dim=1)


def losses_in_words(losses: Tensor) -> list[str]:
    """A line per step: losses and the number of updates (of the picture that took most)."""
    updates = (~losses.isnan()).sum(dim=-1).amax(dim=1).tolist()
    pairs = zip(*(side.tolist() for side in before_and_after(losses)), updates, strict=True)
    return [f"step {i}: loss {first:.3g} -> {last:.3g} in {count}" for i, (first, last, count) in enumerate(pairs)]


def draw_losses(losses: Tensor) -> Tensor:
    """Both losses of every step, on a logarithmic scale: losses [N, B, updates] -> a picture [1, H, W, 3] in 0..1."""
    curves = [np.log10(np.maximum(side.double().numpy(), 1e-12)) for side in before_and_after(losses)]
    low = int(np.floor(min(curve.min() for curve in curves)))
    high = max(low + 1, int(np.ceil(max(curve.max() for curve in curves))))
    width, height = SIZE
    picture = Image.new("RGB", SIZE, "white")
    pen = ImageDraw.Draw(picture)

    def place(step: int, power: float) -> tuple[float, float]:
        across = step / max(1, len(losses) - 1)
        up = (power - low) / (high - low)
        return LEFT + across * (width - LEFT - RIGHT), height - BOTTOM - up * (height - TOP - BOTTOM)

    for power in range(low, high + 1):
        y = place(0, power)[1]
        pen.line([(LEFT, y), (width - RIGHT, y)], GRID)
        pen.text((LEFT - 6, y), f"1e{power}", INK, anchor="rm")
    for step in sorted({0, (len(losses) - 1) // 2, len(losses) - 1}):
        pen.text((place(step, low)[0], height - BOTTOM + 6), str(step), INK, anchor="ma")
    pen.text((LEFT, 10), "loss per step before", BEFORE, anchor="lt")
    pen.text((LEFT + 150, 10), "and after its updates", AFTER, anchor="lt")
    for curve, colour in zip(curves, (BEFORE, AFTER), strict=True):
        points = [place(step, power) for step, power in enumerate(curve)]
        pen.line(points, colour, width=2)
        for x, y in points:
            pen.ellipse((x - 2, y - 2, x + 2, y + 2), colour)
    return torch.from_numpy(np.asarray(picture, dtype=np.float32) / 255)[None]
