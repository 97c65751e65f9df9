"""Weights that `torch.save` wrote (`.pth`), as a table of tensors: the archive is looked at, nothing is unpickled.

Such a file is a zip archive of uncompressed entries: `<name>/data.pkl`, the table of contents (weights_pickle.py), and
`<name>/data/<key>`, the numbers of one block each, little-endian.
"""

from __future__ import annotations

import math
import os
import struct
import zipfile
from typing import BinaryIO

from .tensor_table import Stored, TensorTable
from .weights_pickle import LARGEST, TensorOf, read_contents

MOST_ENTRIES = 20_000
_HEADER = 30  # bytes of an entry's own header, before its name
_TAIL = 2**16 + 2**10
"""Bytes at the end of an archive in which the records about its directory stand."""
_DIRECTORIES = ((b"PK\x05\x06", "<10xHL", 0xFFFF), (b"PK\x06\x06", "<32xQQ", 2**64 - 1))
"""A record's mark, where it says how many entries there are and how long the directory is, and what stands for "look
elsewhere".
"""


def read_archive(file: BinaryIO) -> TensorTable:
    """What an open .pth holds. Raises ValueError, a reason, for a damaged one and for more than weights."""
    size = os.fstat(file.fileno()).st_size
    try:
        _check_directory(file, size)
        with zipfile.ZipFile(file) as archive:
            entries = _checked(archive, size)
            contents = read_contents(_small(archive, entries["data.pkl"], LARGEST))
            if "byteorder" in entries and _small(archive, entries["byteorder"], 16).strip() != b"little":
                raise ValueError("its numbers are big-endian")
        tensors = {name: _stored(file, name, tensor, entries, size) for name, tensor in contents.items()}
    except (zipfile.BadZipFile, NotImplementedError, RuntimeError, EOFError, OSError, KeyError, struct.error) as error:
        raise ValueError(f"it is damaged, incomplete, or older than torch 1.6 ({error})") from error
    if sum(stored.bytes for stored in tensors.values()) > size:
        raise ValueError("its tensors share their numbers")
    return TensorTable(file, tensors)


def _check_directory(file: BinaryIO, size: int) -> None:
    """Refuse a directory that would take long to read: its size is known before."""
    file.seek(max(size - _TAIL, 0))
    tail = file.read(_TAIL)
    for mark, form, elsewhere in _DIRECTORIES:
        position = tail.rfind(mark)
        if position < 0 or position + struct.calcsize(form) > len(tail):
            continue
        count, length = struct.unpack_from(form, tail, position)
        if count != elsewhere and (count > MOST_ENTRIES or length > MOST_ENTRIES * 512):
            raise ValueError("it has far more entries than weights have")


def _small(archive: zipfile.ZipFile, info: zipfile.ZipInfo, largest: int) -> bytes:
    if info.file_size > largest:
        raise ValueError(f"its {info.filename[-40:]!r} is far larger than that of weights")
    return archive.read(info)


def _checked(archive: zipfile.ZipFile, size: int) -> dict[str, zipfile.ZipInfo]:
    """The entries by their names behind the archive's own, all of them uncompressed and no larger than the file."""
    infos = archive.infolist()
    if len(infos) > MOST_ENTRIES:
        raise ValueError("it has far more entries than weights have")
    if any(info.compress_type != zipfile.ZIP_STORED or info.flag_bits & 1 for info in infos):
        raise ValueError("it is compressed or encrypted, which torch.save does not do")
    if any(info.file_size != info.compress_size for info in infos) or sum(info.file_size for info in infos) > size:
        raise ValueError("its entries are larger than the file")
    entries = {info.filename.partition("/")[2]: info for info in infos}
    if "data.pkl" not in entries:
        raise ValueError("it is no archive of torch.save")
    return entries


def _stored(file: BinaryIO, name: str, tensor: TensorOf, entries: dict[str, zipfile.ZipInfo], size: int) -> Stored:
    """Where the numbers of a tensor stand. Raises ValueError for what leaves its block, or is no plain array."""
    info = entries.get(f"data/{tensor.storage.key}")
    width = tensor.storage.dtype.itemsize
    if info is None or info.file_size != tensor.storage.count * width:
        raise ValueError(f"the numbers of {name[:80]!r} are missing or incomplete")
    count = math.prod(tensor.shape)
    if tensor.offset + count > tensor.storage.count:
        raise ValueError(f"{name[:80]!r} reaches beyond its numbers")
    if count > 1 and not _is_row_major(tensor):
        raise ValueError(f"the numbers of {name[:80]!r} are not stored one after the other")
    begin = _begin(file, info) + tensor.offset * width
    if begin + count * width > size:
        raise ValueError(f"the numbers of {name[:80]!r} are missing or incomplete")
    return Stored(tensor.storage.dtype, tensor.shape, begin)


def _is_row_major(tensor: TensorOf) -> bool:
    step = 1
    for length, stride in zip(reversed(tensor.shape), reversed(tensor.stride), strict=True):
        if length > 1 and stride != step:
            return False
        step *= length
    return True


def _begin(file: BinaryIO, info: zipfile.ZipInfo) -> int:
    """Where the content of an entry begins: its own header says how long its name and its padding are."""
    file.seek(info.header_offset)
    header = file.read(_HEADER)
    if len(header) < _HEADER or header[:4] != b"PK\x03\x04":
        raise ValueError("an entry of it is damaged")
    name, extra = struct.unpack("<HH", header[26:30])
    return info.header_offset + _HEADER + name + extra
