"""What a run must not leave behind, compared before and after."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from .part import Result

KINDS = {
    "no hook or patch left": ("hooks", "replaced forwards", "patches", "options"),
    "no file or thread left": ("open files", "unfinished files", "threads"),
}
"""Lines of the table, and what of a census each looks at."""

SPARE = {"threads": 2, "open files": 4}
"""How many more may be there: ComfyUI's own pools of threads and its connections come and go."""


def left_behind(before: Mapping[str, int], after: Mapping[str, int], when: str) -> Iterator[Result]:
    """A result per kind of thing."""
    for kind, names in KINDS.items():
        more = [
            f"{name} {before[name]} -> {after[name]}"
            for name in names
            if after[name] > before[name] + SPARE.get(name, 0)
        ]
        yield Result(kind, f"after {when}: {', '.join(more)}" if more else "")
