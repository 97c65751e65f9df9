"""Distilled editors as files: `.safetensors`, with the architecture and the metadata of the training in the header."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path
from typing import Any

from torch import Tensor

from ..storage import fields, tensor_file
from ..storage.atomic_write import atomic_write
from ..storage.schema import TensorRule
from ..storage.state_dict import strip_prefix
from ..storage.tensor_file import FileFormat
from .architecture import EditorConfig
from .checkpoint import DistilledEditor

WEIGHTS, MEMORY = "weights.", "memory."
KIND = FileFormat(
    "distilled editor",
    "Save Distilled Editor",
    "appearance_transfer.distilled_editor",
    version=1,
    header={
        "architecture": fields.record(size=fields.whole(), width=fields.number()),
        "steps": fields.whole(),
        "images": fields.whole(),
        "metadata": fields.texts,
    },
    tensors={WEIGHTS: TensorRule(), MEMORY: TensorRule()},
)


def encode(editor: DistilledEditor, *, resumable: bool = True) -> bytes:
    """An editor as the content of a file; about four times as much where it is to be trained further (`resumable`).

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
        "images": editor.images,
        "metadata": editor.metadata,
    }
    return tensor_file.encode(KIND, header, tensors)


def save(editor: DistilledEditor, path: str | os.PathLike[str], *, resumable: bool = True) -> None:
    """Write an editor. The file appears complete or not at all. Raises ValueError as `encode`."""
    atomic_write(Path(path), encode(editor, resumable=resumable))


def load(path: str | os.PathLike[str]) -> DistilledEditor:
    """Read an editor, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    return tensor_file.load(path, KIND, _assemble)


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> DistilledEditor:
    return DistilledEditor(
        EditorConfig(**header["architecture"]),
        strip_prefix(tensors, WEIGHTS),
        header["steps"],
        header["images"],
        strip_prefix(tensors, MEMORY),
        header["metadata"],
    )
