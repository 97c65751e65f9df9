"""Smooth lines with round ends over an image."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image, ImageDraw
from torch import Tensor

FINER = 2
"""Lines are drawn this much larger and shrunk, for smooth edges."""
CASING, RING = (20, 20, 20), (255, 255, 255)


@dataclass(frozen=True)
class Line:
    """From `start` to `end`, (x, y) in pixels; color (r, g, b) and opacity in 0..1."""

    start: tuple[float, float]
    end: tuple[float, float]
    color: tuple[float, ...]
    opacity: float


def draw_lines(image: Tensor, lines: Iterable[Line]) -> Tensor:
    """The image [H, W, 3] in 0..1 with the lines over it, dark at their edges and with a light ring at the ends."""
    height, width = image.shape[:2]
    stroke = max(1, round(height / 256)) * FINER
    overlay = Image.new("RGBA", (width * FINER, height * FINER))
    for line in lines:
        layer = Image.new("RGBA", overlay.size)
        pen = ImageDraw.Draw(layer)
        ends = [(x * FINER, y * FINER) for x, y in (line.start, line.end)]
        color = tuple(round(255 * value) for value in line.color)
        pen.line(ends, fill=CASING, width=2 * stroke)
        pen.line(ends, fill=color, width=stroke)
        for end in ends:
            pen.circle(end, 3 * stroke, fill=color, outline=RING, width=stroke)
        layer.putalpha(layer.getchannel("A").point([round(alpha * line.opacity) for alpha in range(256)]))
        overlay.alpha_composite(layer)
    base = Image.fromarray((image * 255).round().byte().numpy()).convert("RGBA")
    base.alpha_composite(overlay.reduce(FINER))
    return torch.from_numpy(np.array(base.convert("RGB"))).float() / 255
