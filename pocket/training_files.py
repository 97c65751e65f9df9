"""What a training run leaves behind: a CSV log and sheets of images."""

from __future__ import annotations

import csv
from pathlib import Path

import torch
from torch import Tensor

_COLUMNS = ("phase", "step", "samples", "seconds", "loss")


class TrainingLog:
    """One CSV for all phases; rows are added, never rewritten."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def add(self, phase: str, step: int, samples: int, seconds: float, loss: float) -> None:
        """Append one row; `seconds` and `samples` count from the start of the phase."""
        fresh = not self.path.exists()
        with self.path.open("a", newline="", encoding="ascii") as file:
            writer = csv.writer(file)
            if fresh:
                writer.writerow(_COLUMNS)
            writer.writerow((phase, step, samples, f"{seconds:.0f}", f"{loss:.5f}"))


def write_sheet(images: Tensor, columns: int, path: Path) -> None:
    """images [B, 3, H, W] in 0..1, B a multiple of `columns` -> one PNG (or PPM where Pillow is missing, as on a
    bare machine).
    """
    count, _, height, width = images.shape
    grid = images.view(count // columns, columns, 3, height, width).permute(0, 3, 1, 4, 2)
    pixels = (grid.reshape(-1, columns * width, 3).clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu().numpy()
    try:
        from PIL import Image
    except ImportError:
        header = f"P6 {pixels.shape[1]} {pixels.shape[0]} 255\n".encode("ascii")
        path.with_suffix(".ppm").write_bytes(header + pixels.tobytes())
    else:
        Image.fromarray(pixels).save(path)
