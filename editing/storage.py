"""Edit directions as files: `.safetensors`, with the words and the text encoder's identity in the header."""

from __future__ import annotations

import os
from pathlib import Path

from ..storage import tensor_file
from ..storage.tensor_file import Kind, damage_told, misfit_told
from .direction import EditDirection

KIND = Kind("edit direction", "Save Edit Direction", "appearance_transfer.edit_direction", version=1)


def save(direction: EditDirection, path: str | os.PathLike[str]) -> None:
    """Write a direction. The file appears complete or not at all."""
    tensors = {"tokens": direction.tokens}
    if direction.pooled is not None:
        tensors["pooled"] = direction.pooled
    header = {"source": direction.source, "target": direction.target, "encoder": direction.encoder}
    tensor_file.write(path, KIND, header, tensors)


def load(path: str | os.PathLike[str]) -> EditDirection:
    """Read a direction, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    header, tensors = tensor_file.read(path, KIND)
    with damage_told(name, KIND):
        source, target = str(header["source"]), str(header["target"])
        encoder = {str(key): str(value) for key, value in dict(header["encoder"]).items()}
    if "tokens" not in tensors:
        raise ValueError(f"{name!r} lacks the tokens of an edit direction; save the edit direction again.")
    with misfit_told(name, KIND):
        return EditDirection(tensors["tokens"], tensors.get("pooled"), source, target, encoder)
