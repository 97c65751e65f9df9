"""Every default stands once: in a settings dataclass or a constant, which schemas and functions read."""

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
FOLDERS = (
    "attention", "inversion", "guidance", "correspondence", "objects", "editing", "splice", "distillation",
    "evaluation", "storage", "training", "vit", "host", "nodes",
)  # fmt: skip
PLAIN = (0, 1, -1, True, False, None, "", ())
"""Off, whole, none, the last one: what says nothing of its own."""
SAME_NAME = {"guidance": "cfg", "text_scale": "cfg", "start_at": "start_at_step", "level": "downscale"}
TWO_THINGS = {
    ("learning_rate", 0.01),  # of null-text inversion and of painting a ViT's feature
    ("seed", 42),  # of the noise of an inversion and of that of DIFT
    ("precision", "fp32"),  # of the pocket checkpoint and of a ViT, which offer other ones besides
    ("name", "points"),  # of what is parsed
}


def constant(node: ast.expr) -> Any:
    """What a literal says; None for anything else, and for what is plain."""
    try:
        value = ast.literal_eval(node)
    except ValueError:
        return None
    return None if value in PLAIN or not isinstance(value, int | float | str) else value


def defaults(tree: ast.AST) -> Iterator[tuple[str, ast.expr]]:
    """Name and default of each field, argument and input of a node."""
    for node in ast.walk(tree):
        if isinstance(node, ast.ClassDef):
            for field in node.body:
                if isinstance(field, ast.AnnAssign) and field.value is not None and isinstance(field.target, ast.Name):
                    yield field.target.id, field.value
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            positional = [*node.args.posonlyargs, *node.args.args]
            first = len(positional) - len(node.args.defaults)
            for argument, default in [
                *zip(positional[first:], node.args.defaults, strict=True),
                *zip(node.args.kwonlyargs, node.args.kw_defaults, strict=True),
            ]:
                if default is not None:
                    yield argument.arg, default
        elif isinstance(node, ast.Call) and getattr(node.func, "attr", "") == "Input" and node.args:
            name = constant(node.args[0])
            for keyword in node.keywords:
                if keyword.arg == "default" and isinstance(name, str):
                    yield name, keyword.value


def test_no_default_is_written_twice() -> None:
    found_in: dict[tuple[str, Any], list[str]] = defaultdict(list)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.py")):
            for name, default in defaults(ast.parse(path.read_text(encoding="utf-8"))):
                value = constant(default)
                if value is not None:
                    found_in[SAME_NAME.get(name, name), value].append(f"{path.relative_to(ROOT)}:{default.lineno}")
    assert not {key: found for key, found in found_in.items() if len(found) > 1 and key not in TWO_THINGS}


def test_no_choices_are_written_twice() -> None:
    """A combo's options in a schema are what the code that reads them has."""
    written = [
        f"{path.relative_to(ROOT)}: {match[0]}"
        for path in sorted((ROOT / "nodes").glob("*.py"))
        for match in re.finditer(r'options=\["[^"]+", "[^]]+\]', path.read_text(encoding="utf-8"))
    ]
    assert not written
