"""Records as `.safetensors` files: tensors, and everything that is not a tensor as JSON in the header.

A file is judged from its header alone, by the schema of its kind and by the record that it is to become, before a
number is read.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import safetensors.torch
from torch import Tensor

from . import bounded_json, fields
from .atomic_write import atomic_write
from .fields import Check
from .regular_file import open_regular
from .safetensors_table import LARGEST_HEADER, read_table
from .schema import Rules, check_finite, check_tensors
from .tensor_table import TensorTable

Record = TypeVar("Record")


@dataclass(frozen=True)
class FileFormat:
    """One kind of file: what it may hold, and the words that speak of it."""

    noun: str
    """What a user calls it, such as "inversion"."""
    writer: str
    """The node that writes it."""
    key: str
    """Where the header stands among the file's metadata; tells the kinds apart."""
    version: int
    """Rises when an older pack could not read what a newer one writes."""
    header: Mapping[str, Check]
    """What must stand in the header, besides the version."""
    tensors: Rules
    """What tensors there may be, and must be."""


def encode(kind: FileFormat, header: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> bytes:
    """A record as the content of a file. Raises ValueError for what could not be loaded again."""
    metadata = json.dumps({"version": kind.version, **header})
    try:
        check_tensors(kind.tensors, kind.noun, tensors)
    except ValueError as error:
        raise ValueError(f"This {kind.noun} was not saved, for it {error}; make it again.") from error
    try:
        fields.read(bounded_json.parse(metadata, LARGEST_HEADER), kind.header)
    except ValueError as error:
        raise ValueError(
            f"This {kind.noun} was not saved, for its header could not be read again ({error}); make it again."
        ) from error
    # Clones, because the format refuses tensors that share memory, and views of one batch do.
    clones = {name: tensor.detach().cpu().clone().contiguous() for name, tensor in tensors.items()}
    return safetensors.torch.save(clones, {kind.key: metadata})


def write(
    path: str | os.PathLike[str], kind: FileFormat, header: Mapping[str, Any], tensors: Mapping[str, Tensor]
) -> None:
    """Write a record. The file appears complete or not at all."""
    atomic_write(Path(path), encode(kind, header, tensors))


def load(
    path: str | os.PathLike[str], kind: FileFormat, assemble: Callable[[dict[str, Any], dict[str, Tensor]], Record]
) -> Record:
    """Read a record, bit by bit what was written, on the CPU.

    assemble: makes the record of the checked header and the tensors; raises ValueError where they do not fit together.
        It is asked twice, first with tensors on "meta": what does not fit is refused before it is read.

    Raises ValueError with what was found, what is needed and what to do for a missing, damaged or foreign file.
    """
    name = Path(path).name
    if not Path(path).is_file():
        raise ValueError(f"There is no {kind.noun} file {name!r}; save one with {kind.writer}, or choose another.")
    with open_regular(path) as file:
        try:
            table = read_table(file)
        except ValueError as error:
            raise ValueError(
                f"{name!r} is damaged or no safetensors file ({error}); save the {kind.noun} again, or choose another "
                "file."
            ) from error
        return _judged(name, kind, table, assemble)


def _judged(
    name: str, kind: FileFormat, table: TensorTable, assemble: Callable[[dict[str, Any], dict[str, Tensor]], Record]
) -> Record:
    header, shapes = _header(name, kind, table.metadata), table.on_meta()
    with _refused(name, kind):
        check_tensors(kind.tensors, kind.noun, shapes)
    with _wrap_misfit(name, kind):
        assemble(header, shapes)
    with _refused(name, kind):
        tensors = table.read(table.tensors)
        check_finite(kind.tensors, tensors)
    with _wrap_misfit(name, kind):
        return assemble(header, tensors)


@contextmanager
def _refused(name: str, kind: FileFormat) -> Iterator[None]:
    """Say of which file it is that its tensors are wrong, and what to do."""
    try:
        yield
    except ValueError as error:
        raise ValueError(
            f"{name!r} {error}; make the {kind.noun} again and save it with {kind.writer}, or choose another file."
        ) from error


@contextmanager
def _wrap_misfit(name: str, kind: FileFormat) -> Iterator[None]:
    """Say of which file it is that the record inside does not hold together, in the words of the record."""
    try:
        yield
    except ValueError as error:
        raise ValueError(f"{name!r} does not hold a usable {kind.noun}: {error}") from error


def _header(name: str, kind: FileFormat, metadata: Mapping[str, str]) -> dict[str, Any]:
    """The checked header. Raises ValueError for a file of another kind or version, and for what is missing or wrong."""
    if kind.key not in metadata:
        raise ValueError(
            f"{name!r} is a safetensors file, but holds no {kind.noun}; choose a file written by {kind.writer}."
        )
    try:
        found = bounded_json.parse(metadata[kind.key], LARGEST_HEADER)
        version = fields.record(version=fields.whole())(found)["version"]
        header = fields.read(found, kind.header) if version == kind.version else {}
    except KeyError as error:
        raise ValueError(f"The header of {name!r} lacks {error.args[0]!r}; save the {kind.noun} again.") from error
    except ValueError as error:
        raise ValueError(f"The header of {name!r} is damaged ({error}); save the {kind.noun} again.") from error
    if version != kind.version:
        raise ValueError(
            f"{name!r} is of version {version} of the {kind.noun} file, but this pack reads version {kind.version}; "
            f"update the pack, or save the {kind.noun} again."
        )
    return header
