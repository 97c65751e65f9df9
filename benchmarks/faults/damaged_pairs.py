"""Damage to a collection of pairs: other lines in its manifest, other parts in its images."""

from __future__ import annotations

import json
import random
import struct
import zlib

from .damage import changed_json


def other_lines(draw: random.Random, data: bytes) -> bytes:
    """A manifest with a line of other values, twice, missing, torn or without its end."""
    lines = data.decode("ascii").splitlines()
    position = draw.randrange(len(lines))
    what = draw.randrange(8)
    if what < 4:
        lines[position] = json.dumps(changed_json(draw, json.loads(lines[position])))
    elif what == 4:
        lines[position] = draw.choice(
            ("", "[" * 100_000, "null", "7", lines[position] * 2, lines[position][:40], "x" * 10**5)
        )
    elif what == 5:
        return data[: -draw.choice((1, 1, 2, 20, 100))]
    elif what == 6:
        return data.replace(b"\n", draw.choice((b"\r\n", b"\n\n", b" \n")))
    else:
        lines.insert(position, lines[draw.randrange(len(lines))])
    return ("\n".join(lines) + "\n").encode()


def other_chunks(draw: random.Random, data: bytes) -> bytes:
    """A PNG that says to be of another size, or whose parts are missing, twice or others."""
    chunks, position = [], 8
    while position + 12 <= len(data):
        (length,) = struct.unpack(">I", data[position : position + 4])
        chunks.append((data[position + 4 : position + 8], data[position + 8 : position + 8 + length]))
        position += 12 + length
    which = draw.randrange(len(chunks))
    kind, content = chunks[which]
    if kind == b"IHDR":
        sizes = [draw.choice((0, 1, 63, 64, 8193, 30_000, 2**31 - 1)) for _ in range(2)]
        form = bytes(draw.choice((8, content[8], draw.randrange(256))) for _ in range(5))
        content = struct.pack(">II", *sizes) + draw.choice((content[8:], form))
    elif draw.random() < 0.3:
        kinds = (b"iCCP", b"PLTE", b"tRNS", b"zTXt", b"fcTL", b"xxxx", b"\0\0\0\0")
        chunks.insert(which, (draw.choice(kinds), draw.randbytes(9)))
    else:
        content = draw.choice((content[: len(content) // 2], b"", content + content, draw.randbytes(30)))
    chunks[which] = (kind, content)
    if draw.random() < 0.2:
        del chunks[draw.randrange(len(chunks))]
    parts = [struct.pack(">I", len(c)) + k + c + struct.pack(">I", zlib.crc32(k + c)) for k, c in chunks]
    return data[:8] + b"".join(parts)
