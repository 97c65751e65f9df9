"""Damage to the bytes of a file, and to values of JSON: what accidents, other programs and ill will may leave."""

from __future__ import annotations

import json
import random
from collections.abc import Callable
from typing import Any

Damage = Callable[[random.Random, bytes], bytes]
ODD_VALUES = (
    None, True, False, -1, 0, 1, 10**30, 10**400, 0.5, -0.0, 1e308, float("nan"), float("inf"), float("-inf"),
    "", "7", "x" * 10_000, "\u0000", "../../outside.png", "/dev/zero",
    [], [[]], [None], [1, "a"], [0.0] * 2000, {}, {"tensors": 10**9}, {"a": {"b": 1}},
)  # fmt: skip


def flipped(draw: random.Random, data: bytes) -> bytes:
    """A few bits are other ones."""
    changed = bytearray(data)
    for _ in range(draw.choice((1, 1, 2, 8, 64))):
        changed[draw.randrange(len(changed))] ^= 1 << draw.randrange(8)
    return bytes(changed)


def flipped_at_the_front(draw: random.Random, data: bytes) -> bytes:
    """The same where a file says what it is."""
    front = draw.choice((16, 256, 4096))
    return flipped(draw, data[:front]) + data[front:]


def cut(draw: random.Random, data: bytes) -> bytes:
    """The file ends early, or has something behind its end."""
    if draw.random() < 0.2:
        return data + draw.randbytes(draw.choice((1, 8, 1000)))
    return data[: draw.randrange(min(len(data), draw.choice((2, 100, 10_000, len(data)))))]


def overwritten(draw: random.Random, data: bytes) -> bytes:
    """A run of bytes is zero, noise, or a copy of another position."""
    length = min(len(data), draw.choice((1, 16, 512, 4096)))
    position, other = draw.randrange(len(data) - length + 1), draw.randrange(len(data) - length + 1)
    run = draw.choice((bytes(length), draw.randbytes(length), data[other : other + length]))
    return data[:position] + run + data[position + length :]


def foreign(draw: random.Random, data: bytes) -> bytes:
    """Another kind of file altogether."""
    return draw.choice(
        (b"", b"\0", draw.randbytes(draw.choice((8, 100, 5000))), b"{}", b"PK\x05\x06" + bytes(18), b"\x80\x02.",
         b"\x89PNG\r\n\x1a\n" + draw.randbytes(100), b"[" * 100_000, b'{"a":' * 100_000, bytes(10**6))
    )  # fmt: skip


BYTES: tuple[Damage, ...] = (flipped, flipped_at_the_front, cut, overwritten, foreign)


def changed_json(draw: random.Random, value: Any) -> Any:
    """A copy of a JSON value in which one position is another value, missing, new, or nested deep."""
    copy = json.loads(json.dumps(value))
    positions = list(_positions(copy))
    if not positions:
        return draw.choice(ODD_VALUES)
    inside, key = draw.choice(positions)
    what = draw.randrange(6)
    if what == 0:
        del inside[key]
    elif what == 1 and isinstance(inside, dict):
        inside[draw.choice(("x", "version", "__metadata__", str(key) + " "))] = draw.choice(ODD_VALUES)
    elif what == 2 and isinstance(inside[key], (int, float)) and not isinstance(inside[key], bool):
        inside[key] = inside[key] * draw.choice((-1, 2, 1000, 1e300)) + draw.choice((0, 1, -1, 0.5))
    elif what == 3:
        inside[key] = nested(draw.choice((17, 30, 900)))
    else:
        inside[key] = draw.choice(ODD_VALUES)
    return copy


def nested(depth: int) -> Any:
    """Lists in one another."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


def _positions(value: Any) -> Any:
    """Every (container, key) of a JSON value, at most some thousand."""
    keys = value.keys() if isinstance(value, dict) else range(min(len(value), 50)) if isinstance(value, list) else ()
    for key in keys:
        yield value, key
        yield from _positions(value[key])
