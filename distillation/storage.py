"""Distilled editors as files: `.safetensors`, with the architecture and the facts of the training in the header."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from ..storage import tensor_file
from ..storage.fit import named
from ..storage.tensor_file import Kind, damage_told, misfit_told
from .architecture import Architecture
from .record import DistilledEditor

KIND = Kind("distilled editor", "Save Distilled Editor", "appearance_transfer.distilled_editor", version=1)
WEIGHTS, MEMORY = "weights.", "memory."


def save(editor: DistilledEditor, path: str | os.PathLike[str], *, resumable: bool = True) -> None:
    """Write an editor; about four times as much where it is to be trained further (`resumable`).

    Raises ValueError for an editor with NaN or infinite numbers, which could not be loaded again.
    """
    if not editor.is_finite():
        raise ValueError("This distilled editor holds NaN or infinite numbers and was not saved; train it again.")
    tensors = {WEIGHTS + name: tensor for name, tensor in editor.weights.items()}
    if resumable:
        tensors |= {MEMORY + name: tensor for name, tensor in editor.memory.items()}
    header = {
        "architecture": asdict(editor.architecture),
        "steps": editor.steps,
        "pictures": editor.pictures,
        "facts": editor.facts,
    }
    tensor_file.write(path, KIND, header, tensors)


def load(path: str | os.PathLike[str]) -> DistilledEditor:
    """Read an editor, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    header, tensors = tensor_file.read(path, KIND)
    with damage_told(name, KIND):
        size, width = int(header["architecture"]["size"]), float(header["architecture"]["width"])
        steps, pictures = int(header["steps"]), int(header["pictures"])
        facts = {str(key): str(value) for key, value in dict(header["facts"]).items()}
    weights, memory = named(tensors, WEIGHTS), named(tensors, MEMORY)
    with misfit_told(name, KIND):
        editor = DistilledEditor(Architecture(size, width), weights, steps, pictures, memory, facts)
    if not editor.is_finite():
        raise ValueError(f"{name!r} holds NaN or infinite numbers; train the editor again and save it anew.")
    return editor
