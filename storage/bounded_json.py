"""JSON from files: no larger and no deeper than what we write ourselves, and text for sure."""

from __future__ import annotations

import json
import re
from typing import Any

DEPTH = 16
_STRING_OR_BRACKET = re.compile(r'"(?:[^"\\]|\\.)*+"|[\[\]{}]', re.DOTALL)


def parse(text: str | bytes, most: int, depth: int = DEPTH) -> Any:
    """The value of a JSON text. most: bytes, or characters, that it may have. depth: lists and objects in one another.

    NaN and Infinity are read as Python writes them; whether they are wanted is for others to say. Raises ValueError.
    """
    if len(text) > most:
        raise ValueError(f"{len(text)} bytes of JSON, where {most} are the most")
    if isinstance(text, bytes):
        text = text.decode("utf-8")
    if _depth(text) > depth:
        raise ValueError(f"JSON that is nested more than {depth} deep")
    return json.loads(text)


def _depth(text: str) -> int:
    """How deep lists and objects are nested; of a text that is no JSON, some number that is not too small."""
    deepest = level = 0
    for found in _STRING_OR_BRACKET.finditer(text):
        character = found[0][0]
        if character in "[{":
            level += 1
            deepest = max(deepest, level)
        elif character in "]}":
            level -= 1
    return deepest
