"""Trained generators as files: `.safetensors`, with the architecture and the metadata of the training in the header."""

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
from .checkpoint import TrainedGenerator
from .generator import GeneratorConfig

WEIGHTS, SECOND_MOMENTS = "weights.", "squares."
KIND = FileFormat(
    "Splice generator",
    "Save Splice Generator",
    "appearance_transfer.splice_generator",
    version=1,
    header={"architecture": fields.texts, "steps": fields.whole(), "metadata": fields.texts},
    tensors={WEIGHTS: TensorRule(), SECOND_MOMENTS: TensorRule()},
)
ARCHITECTURE = {name: str(value) for name, value in asdict(GeneratorConfig()).items()}


def encode(generator: TrainedGenerator, *, resumable: bool = True) -> bytes:
    """A generator as the content of a file: 4 MB, and as much again where it is to be trained further (`resumable`).

    Raises ValueError for a generator with NaN or infinite numbers, which could not be loaded again.
    """
    if not generator.is_finite():
        raise ValueError("This Splice generator holds NaN or infinite numbers and was not saved; train it again.")
    tensors = {WEIGHTS + name: tensor for name, tensor in generator.weights.items()}
    if resumable:
        tensors |= {SECOND_MOMENTS + name: tensor for name, tensor in generator.second_moments.items()}
    header = {"architecture": ARCHITECTURE, "steps": generator.steps, "metadata": generator.metadata}
    return tensor_file.encode(KIND, header, tensors)


def save(generator: TrainedGenerator, path: str | os.PathLike[str], *, resumable: bool = True) -> None:
    """Write a generator. The file appears complete or not at all. Raises ValueError as `encode`."""
    atomic_write(Path(path), encode(generator, resumable=resumable))


def load(path: str | os.PathLike[str]) -> TrainedGenerator:
    """Read a generator, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    return tensor_file.load(path, KIND, _assemble)


def _assemble(header: dict[str, Any], tensors: dict[str, Tensor]) -> TrainedGenerator:
    architecture = header["architecture"]
    if architecture != ARCHITECTURE:
        raise ValueError(
            f"It is of another architecture ({', '.join(map(' '.join, architecture.items()))[:200]}); this pack trains "
            f"and applies {', '.join(map(' '.join, ARCHITECTURE.items()))}. Train the generator again."
        )
    return TrainedGenerator(
        strip_prefix(tensors, WEIGHTS), header["steps"], strip_prefix(tensors, SECOND_MOMENTS), header["metadata"]
    )
