"""Trained generators as files: `.safetensors`, with the architecture and the facts of the training in the header."""

from __future__ import annotations

import os
from dataclasses import asdict
from pathlib import Path

from ..storage import tensor_file
from ..storage.fit import named
from ..storage.tensor_file import Kind, damage_told, misfit_told
from .generator import Architecture
from .record import TrainedGenerator

KIND = Kind("Splice generator", "Save Splice Generator", "appearance_transfer.splice_generator", version=1)
WEIGHTS, SQUARES = "weights.", "squares."
ARCHITECTURE = {name: str(value) for name, value in asdict(Architecture()).items()}


def save(generator: TrainedGenerator, path: str | os.PathLike[str], *, resumable: bool = True) -> None:
    """Write a generator: 4 MB, and as much again where it is to be trained further (`resumable`).

    Raises ValueError for a generator with NaN or infinite numbers, which could not be loaded again.
    """
    if not generator.is_finite():
        raise ValueError("This Splice generator holds NaN or infinite numbers and was not saved; train it again.")
    tensors = {WEIGHTS + name: tensor for name, tensor in generator.weights.items()}
    if resumable:
        tensors |= {SQUARES + name: tensor for name, tensor in generator.squares.items()}
    header = {"architecture": ARCHITECTURE, "steps": generator.steps, "facts": generator.facts}
    tensor_file.write(path, KIND, header, tensors)


def load(path: str | os.PathLike[str]) -> TrainedGenerator:
    """Read a generator, bit by bit what was saved, on the CPU.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    header, tensors = tensor_file.read(path, KIND)
    with damage_told(name, KIND):
        architecture, steps = dict(header["architecture"]), int(header["steps"])
        facts = {str(key): str(value) for key, value in dict(header["facts"]).items()}
    if architecture != ARCHITECTURE:
        raise ValueError(
            f"{name!r} holds a Splice generator of another architecture ({architecture}); this pack trains and applies "
            f"{ARCHITECTURE}. Train the generator again."
        )
    with misfit_told(name, KIND):
        generator = TrainedGenerator(named(tensors, WEIGHTS), steps, named(tensors, SQUARES), facts)
    if not generator.is_finite():
        raise ValueError(f"{name!r} holds NaN or infinite numbers; train the generator again and save it anew.")
    return generator
