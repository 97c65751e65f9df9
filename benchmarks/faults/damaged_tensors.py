"""Damage to `.safetensors` and `.pth` files that leaves their form whole: other tensors, types, shapes and headers."""

from __future__ import annotations

import io
import json
import random
import struct
import zipfile
from pathlib import PurePosixPath
from typing import Any

import torch
from safetensors.torch import load, save
from torch import Tensor

from .damage import Damage, changed_json

TYPES = (
    torch.int64, torch.int32, torch.int8, torch.uint8, torch.bool, torch.float16, torch.bfloat16, torch.float64,
    torch.complex64, torch.float8_e4m3fn, torch.float8_e5m2,
)  # fmt: skip


def header_of(data: bytes) -> tuple[dict[str, Any], bytes]:
    """The header of a .safetensors file, and its numbers."""
    (length,) = struct.unpack("<Q", data[:8])
    return json.loads(data[8 : 8 + length]), data[8 + length :]


def with_header(header: Any, numbers: bytes) -> bytes:
    """A .safetensors file of a header and numbers, whether they fit or not."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + numbers


def another_header(draw: random.Random, data: bytes) -> bytes:
    """The table of tensors says something else than is there."""
    header, numbers = header_of(data)
    if draw.random() < 0.1:
        return struct.pack("<Q", draw.choice((0, 1, 2**63, 2**40, len(data)))) + data[8:]
    return with_header(changed_json(draw, header), numbers)


def other_words(draw: random.Random, data: bytes) -> bytes:
    """The JSON that stands among the metadata has another value somewhere, or is none."""
    header, numbers = header_of(data)
    metadata = header.get("__metadata__") or {"x": "{}"}
    key = draw.choice(sorted(metadata))
    try:
        words = json.loads(metadata[key])
    except ValueError:
        words = {}
    deep = draw.choice(("[" * 100_000, '{"a":' * 50_000, "{", "7", "null", '"' + "x" * 100))
    metadata[key] = json.dumps(changed_json(draw, words)) if draw.random() < 0.9 else deep
    return with_header(header | {"__metadata__": metadata}, numbers)


def other_tensors(draw: random.Random, data: bytes) -> bytes:
    """A sound file whose tensors are others: missing, renamed, more, of another type or shape, NaN or infinite."""
    header, _ = header_of(data)
    return save(changed_tensors(draw, load(data)), header.get("__metadata__"))


TENSORS: tuple[Damage, ...] = (another_header, other_words, other_tensors)


def changed_tensors(draw: random.Random, tensors: dict[str, Tensor]) -> dict[str, Tensor]:
    """The tensors with one of them changed."""
    changed = dict(tensors)
    name = draw.choice(sorted(changed))
    tensor = changed.pop(name)
    what = draw.randrange(8)
    if what == 1:
        changed[draw.choice((name + "x", name.upper() + "_", "x", "conditioning.x", "weights.x"))] = tensor
    elif what == 2:
        changed |= {
            name: tensor,
            draw.choice((name + ".0", "x", "blocks.99999999.x", "features.0.weight")): torch.ones(3),
        }
    elif what in (3, 4):
        changed[name] = tensor.to(torch.float32).nan_to_num(0).to(draw.choice(TYPES))
    elif what in (5, 6):
        changed[name] = _reshaped(draw, tensor)
    elif what == 7:
        changed[name] = _spoiled(draw, tensor)
    return changed


def _reshaped(draw: random.Random, tensor: Tensor) -> Tensor:
    shapes = (
        tensor.flatten(), tensor[None], tensor[..., None], tensor[:0], tensor[:1], torch.cat([tensor, tensor]),
        torch.zeros((), dtype=tensor.dtype), tensor.movedim(0, -1), tensor.reshape(-1, 1),
    ) if tensor.ndim else (tensor[None], tensor.expand(3))  # fmt: skip
    return draw.choice(shapes).contiguous()


def _spoiled(draw: random.Random, tensor: Tensor) -> Tensor:
    """One number is none any more, or very large."""
    spoiled = tensor.clone()
    if spoiled.numel() and spoiled.is_floating_point():
        value = draw.choice((float("nan"), float("inf"), float("-inf")))
        spoiled.view(-1)[draw.randrange(spoiled.numel())] = value
    return spoiled


def other_archive(draw: random.Random, data: bytes) -> bytes:
    """An archive of torch.save some of whose entries are missing, others, renamed or compressed."""
    with zipfile.ZipFile(io.BytesIO(data)) as found:
        entries = {info.filename: found.read(info) for info in found.infolist()}
    name = draw.choice(sorted(entries) + [name for name in entries if name.endswith("data.pkl")] * 10)
    content = entries.pop(name)
    what = draw.randrange(5)
    if what == 1:
        entries[name + "x"] = content
    elif what == 2:
        entries[name] = content[: draw.randrange(len(content) + 1)]
    elif what > 2:
        entries[name] = other_program(draw, content) if content else b"x"
    written = io.BytesIO()
    form = zipfile.ZIP_DEFLATED if draw.random() < 0.1 else zipfile.ZIP_STORED
    with zipfile.ZipFile(written, "w", form) as archive:
        for entry, part in entries.items():
            archive.writestr(entry, part)
    return written.getvalue()


def other_program(draw: random.Random, data: bytes) -> bytes:
    """A pickle with some instructions or numbers that are others."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 5))):
        position = draw.randrange(len(changed))
        changed[position] = draw.choice((changed[position] ^ (1 << draw.randrange(8)), draw.randrange(256)))
    if draw.random() < 0.2:
        position = draw.randrange(len(changed))
        changed[position:position] = draw.choice(
            (b"(lp0\n", b"2" * 1000, b"]" * 1000, b"cos\nsystem\n", b"\x8a\xff", b"h\x00")
        )
    return bytes(changed)


def other_object(draw: random.Random, data: bytes) -> bytes:
    """What else torch.save writes: several networks, other objects, views of a few numbers, the form before 1.6."""
    state = torch.load(io.BytesIO(data), weights_only=True)
    name = draw.choice(sorted(state))
    tensor = state[name]
    others: tuple[Any, ...] = (
        {"teacher": state, "epoch": 3}, [state], state | {name: None}, state | {7: tensor}, state | {name: 3.5},
        state | {"path": PurePosixPath("x")}, tensor, None, {}, state | {name: tensor.to_sparse()},
        state | {name: torch.ones(1).expand(1, 10**6)}, state | {name: torch.ones(8).as_strided((10**7,), (0,))},
        state | {name: tensor.movedim(0, -1)}, state | {name: tensor.to(draw.choice(TYPES))},
        dict.fromkeys(state, tensor), state | {"x" * 10_000: tensor}, state | {name: state},
        state | {name: torch.quantize_per_tensor(tensor.float(), 0.1, 0, torch.qint8)},
    )  # fmt: skip
    written = io.BytesIO()
    torch.save(draw.choice(others), written, _use_new_zipfile_serialization=draw.random() < 0.9)
    return written.getvalue()


ARCHIVE: tuple[Damage, ...] = (other_archive, other_archive, other_object)
