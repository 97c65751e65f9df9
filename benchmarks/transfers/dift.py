"""DIFT features of images, as the node makes them.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from typing import Any

from torch import Tensor

from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...host.matching.dift_features import dift_features
from .inverted import Models
from .pairs import prompt

ROWS = 64  # per forward
ENSEMBLE = 8


def dift(models: Models, images: Tensor, nouns: list[str], *, text: bool = True, **settings: Any) -> Features:
    """Of images [B, H, W, 3]. text: each under "a photo of a <noun>", else under an empty one. settings: of
    `DiftSettings`.
    """
    positive = models.conditioning([prompt(noun) if text else "" for noun in nouns])
    expected = DiftSettings(**({"ensemble": ENSEMBLE, "batch": ROWS} | settings))
    return dift_features(models.model, models.encode(images), positive, expected, tuple(images.shape[1:3]))
