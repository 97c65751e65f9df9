"""Which nodes the pack has, read from their schemas without running ComfyUI: what stands there is literal."""

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from .paths import ROOT

FOLDER = ROOT / "nodes"
SAID = ("node_id", "display_name", "category")


@dataclass(frozen=True, order=True)
class ListedNode:
    """A node as a user finds it."""

    id: str
    label: str
    category: str


def listed_nodes() -> list[ListedNode]:
    """Every node of the pack by its id."""
    return sorted(node for path in FOLDER.glob("*.py") for node in _nodes(path))


def _nodes(path: Path) -> Iterator[ListedNode]:
    """The nodes whose schema stands in a file."""
    texts = _texts(path)
    for call in ast.walk(_parsed(path)):
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Attribute) and call.func.attr == "Schema":
            said = {word.arg: _text(word.value, texts) for word in call.keywords}
            yield ListedNode(*(said[name] or "" for name in SAID))


@cache
def _texts(path: Path) -> dict[str, str]:
    """The texts that have a name in a module: its own, and those of modules beside it."""
    texts: dict[str, str] = {}
    for line in _parsed(path).body:
        if isinstance(line, ast.ImportFrom) and line.level == 1 and line.module:
            shared = _texts(FOLDER / f"{line.module}.py")
            texts |= {name.name: shared[name.name] for name in line.names if name.name in shared}
        elif isinstance(line, ast.Assign) and isinstance(line.targets[0], ast.Name):
            text = _text(line.value, texts)
            if text is not None:
                texts[line.targets[0].id] = text
    return texts


def _text(value: ast.expr, texts: Mapping[str, str]) -> str | None:
    """A text that is written out, has a name, or is put together of such; None for anything else."""
    if isinstance(value, ast.Constant):
        return value.value if isinstance(value.value, str) else None
    if isinstance(value, ast.Name):
        return texts.get(value.id)
    if isinstance(value, ast.FormattedValue):
        return _text(value.value, texts)
    if isinstance(value, ast.JoinedStr):
        parts = [_text(part, texts) for part in value.values]
        return None if None in parts else "".join(part for part in parts if part is not None)
    return None


def _parsed(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
