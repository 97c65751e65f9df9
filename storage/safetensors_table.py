"""The header of a `.safetensors` file (github.com/huggingface/safetensors), checked before a number is read."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any, BinaryIO

import torch

from .bounded_json import parse
from .tensor_table import Stored, TensorTable

LARGEST_HEADER = 8 * 2**20
"""Bytes. Files of the largest diffusion models need less than one MiB."""
MOST_DIMENSIONS = 16
_LENGTH = 8  # bytes of the number that says how long the header is
_METADATA = "__metadata__"
_DTYPES = {
    "F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16,
    "F8_E4M3": torch.float8_e4m3fn, "F8_E5M2": torch.float8_e5m2,
    "I64": torch.int64, "I32": torch.int32, "I16": torch.int16, "I8": torch.int8,
    "U64": torch.uint64, "U32": torch.uint32, "U16": torch.uint16, "U8": torch.uint8,
    "BOOL": torch.bool, "C64": torch.complex64,
}  # fmt: skip


def read_table(file: BinaryIO) -> TensorTable:
    """What an open .safetensors file holds. Raises ValueError where the header is none, or not that of this file."""
    size = os.fstat(file.fileno()).st_size
    length = int.from_bytes(file.read(_LENGTH), "little")
    if size < _LENGTH or length > size - _LENGTH:
        raise ValueError("it is cut off, or begins with no header")
    header = parse(file.read(length), LARGEST_HEADER)
    if not isinstance(header, dict):
        raise ValueError("its header is no table of tensors")
    metadata = header.pop(_METADATA, {})
    if not isinstance(metadata, dict) or not all(isinstance(text, str) for text in metadata.values()):
        raise ValueError("the metadata of its header are no texts")
    begin = _LENGTH + length
    tensors = {name: _stored(name, about, begin) for name, about in header.items()}
    _check_positions(tensors, begin, size)
    return TensorTable(file, tensors, metadata)


def _stored(name: str, about: Any, begin: int) -> Stored:
    """One entry of the header, of the right form in itself."""
    if not isinstance(about, Mapping) or about.keys() != {"dtype", "shape", "data_offsets"}:
        raise ValueError(f"the entry {name[:80]!r} of its header describes no tensor")
    dtype, shape, offsets = about["dtype"], about["shape"], about["data_offsets"]
    if not isinstance(dtype, str) or dtype not in _DTYPES:
        raise ValueError(f"{name[:80]!r} has numbers of the unknown type {str(dtype)[:20]!r}")
    for numbers in (shape, offsets):
        if not isinstance(numbers, list) or not all(type(n) is int and 0 <= n < 2**48 for n in numbers):
            raise ValueError(f"the entry {name[:80]!r} of its header describes no tensor")
    if len(shape) > MOST_DIMENSIONS or len(offsets) != 2:
        raise ValueError(f"the entry {name[:80]!r} of its header describes no tensor")
    stored = Stored(_DTYPES[dtype], tuple(shape), begin + offsets[0])
    if offsets[1] - offsets[0] != stored.bytes:
        raise ValueError(f"the size and the position of {name[:80]!r} contradict each other")
    return stored


def _check_positions(tensors: Mapping[str, Stored], begin: int, size: int) -> None:
    """The format wants the tensors one after the other, without holes, to the end of the file."""
    for stored in sorted(tensors.values(), key=lambda stored: (stored.begin, stored.bytes)):
        if stored.begin != begin:
            raise ValueError("its tensors overlap, or leave holes")
        begin += stored.bytes
    if begin != size:
        raise ValueError("it is cut off, or longer than its header says")
