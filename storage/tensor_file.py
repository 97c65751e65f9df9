"""Records as `.safetensors` files: tensors, and everything that is not a tensor as JSON in the header."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import safetensors
import safetensors.torch
from torch import Tensor

from .whole_file import write_whole


@dataclass(frozen=True)
class Kind:
    """One kind of file, and the words that speak of it."""

    noun: str
    """What a person calls it, such as "inversion"."""
    writer: str
    """The node that writes it."""
    key: str
    """Where the header stands among the file's metadata; tells the kinds apart."""
    version: int
    """Rises when an older pack could not read what a newer one writes."""


def write(path: str | os.PathLike[str], kind: Kind, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Write a record. The file appears complete or not at all."""
    # Clones, because the format refuses tensors that share memory, and views of one batch do.
    clones = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    data = safetensors.torch.save(clones, {kind.key: json.dumps({"version": kind.version, **header})})
    write_whole(Path(path), data)


def read(path: str | os.PathLike[str], kind: Kind) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Header and tensors of a record, bit by bit what was written, on the CPU. What they hold is not judged here.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    if not Path(path).is_file():
        raise ValueError(f"There is no {kind.noun} file {name!r}; save one with {kind.writer}, or choose another.")
    try:
        with safetensors.safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            # Clones, so that nothing stays mapped to a file that somebody may overwrite.
            tensors = {key: file.get_tensor(key).clone() for key in file.keys()}  # noqa: SIM118 (it is no mapping)
    except safetensors.SafetensorError as error:
        raise ValueError(
            f"{name!r} is damaged or no safetensors file ({error}); save the {kind.noun} again, or choose another file."
        ) from error
    if kind.key not in metadata:
        raise ValueError(
            f"{name!r} is a safetensors file, but holds no {kind.noun}; choose a file written by {kind.writer}."
        )
    with damage_told(name, kind):
        header = dict(json.loads(metadata[kind.key]))
        version = int(header["version"])
    if version != kind.version:
        raise ValueError(
            f"{name!r} is of version {version} of the {kind.noun} file, but this pack reads version {kind.version}; "
            f"update the pack, or save the {kind.noun} again."
        )
    return header, tensors


@contextmanager
def damage_told(name: str, kind: Kind) -> Iterator[None]:
    """Say in a sentence what is wrong with a header whose values are missing or of another kind than they should be."""
    try:
        yield
    except KeyError as error:
        raise ValueError(f"The header of {name!r} lacks {error.args[0]!r}; save the {kind.noun} again.") from error
    except (TypeError, ValueError) as error:
        raise ValueError(f"The header of {name!r} is damaged ({error}); save the {kind.noun} again.") from error


@contextmanager
def misfit_told(name: str, kind: Kind) -> Iterator[None]:
    """Say of which file it is that the record inside does not hold together, in the words of the record."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name!r} does not hold a usable {kind.noun}: {error}") from error
