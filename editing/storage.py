"""Edit directions as files: `.safetensors`, with the words and the text encoder's identity in the header."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from torch import Tensor

from ..storage import fields, tensor_file
from ..storage.atomic_write import atomic_write
from ..storage.schema import TensorRule
from ..storage.tensor_file import FileFormat
from .direction import EditDirection

KIND = FileFormat(
    "edit direction",
    "Save Edit Direction",
    "appearance_transfer.edit_direction",
    version=1,
    header={"source": fields.text, "target": fields.text, "encoder": fields.texts},
    tensors={"tokens": TensorRule(rank=3, needed=True), "pooled": TensorRule(rank=2)},
)


def encode(direction: EditDirection) -> bytes:
    """A direction as the content of a file."""
    tensors = {"tokens": direction.tokens}
    if direction.pooled is not None:
        tensors["pooled"] = direction.pooled
    header = {"source": direction.source, "target": direction.target, "encoder": direction.encoder}
    return tensor_file.encode(KIND, header, tensors)


def save(direction: EditDirection, path: str | os.PathLike[str]) -> None:
    """Write a direction. The file appears complete or not at all."""
    atomic_write(Path(path), encode(direction))


def load(path: str | os.PathLike[str]) -> EditDirection:
    """Read a direction, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    return tensor_file.load(path, KIND, _assemble)


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> EditDirection:
    return EditDirection(tensors["tokens"], tensors.get("pooled"), **header)
