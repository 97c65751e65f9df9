"""The images of a pair, as files: 8-bit PNG when we write them, and what a user may put in their place."""

from __future__ import annotations

import io
import struct
import zlib
from pathlib import Path

import numpy as np
import torch
from PIL import Image, UnidentifiedImageError
from torch import Tensor

from ..storage.regular_file import lies_inside, open_regular

FORMATS = ("PNG", "JPEG", "WEBP")
LARGEST_FILE = 512 * 2**20
MOST_PIXELS = 2**26
"""8192 x 8192: an editor learns from 512 x 512 at most."""
_DAMAGE = (
    OSError, ValueError, TypeError, KeyError, IndexError, EOFError, SyntaxError, OverflowError, struct.error,
    zlib.error,
)  # fmt: skip
"""What Pillow raises for images that are damaged, one way or another."""


def as_png(pixels: Tensor) -> bytes:
    """[H, W, 3] uint8 -> the content of a file."""
    file = io.BytesIO()
    Image.fromarray(pixels.numpy()).save(file, "PNG")
    return file.getvalue()


def read_image(path: Path) -> Tensor:
    """An image of a folder as [H, W, 3] uint8.

    Raises ValueError, the reason without a subject, for what is missing, no image, damaged, larger than MOST_PIXELS,
    or outside of the folder.
    """
    if not lies_inside(path, path.parent):
        raise ValueError("lies outside of the folder")
    try:
        file = open_regular(path, LARGEST_FILE)
    except FileNotFoundError as error:
        raise ValueError("is missing or damaged: there is no such file") from error
    except ValueError as error:
        raise ValueError(f"is missing or damaged ({error})") from error
    with file:
        try:
            with Image.open(file, formats=FORMATS) as image:
                width, height = image.size
                _check_size(width, height)
                image.verify()  # reads the sums that PNG keeps of its parts
            file.seek(0)
            with Image.open(file, formats=FORMATS) as image:
                return torch.from_numpy(np.array(image.convert("RGB")))
        except (Image.DecompressionBombError, _TooLarge) as error:
            raise ValueError(f"is larger than {MOST_PIXELS} pixels ({error})") from error
        except UnidentifiedImageError as error:
            raise ValueError(f"is missing or damaged: it is no {', '.join(FORMATS)}") from error
        except _DAMAGE as error:
            raise ValueError(f"is missing or damaged ({error})") from error


class _TooLarge(Exception):
    """More pixels than anybody learns from."""


def _check_size(width: int, height: int) -> None:
    if width * height > MOST_PIXELS:
        raise _TooLarge(f"{width} x {height}")
