"""What nodes that read a file of the user's have in common."""

from collections.abc import Callable
from pathlib import Path
from typing import ClassVar

from comfy_api.latest import io

NOTHING_SAVED = "(nothing saved yet)"


def prefix_input(default: str) -> io.Input:
    """The input of the nodes that save."""
    return io.String.Input(
        "filename_prefix", default=default,
        tooltip="Name of the file, to which a number is added; sub-folders and %date:yyyy-MM-dd% as in Save Image.",
    )  # fmt: skip


class ReadsFile(io.ComfyNode):
    """A node whose input `name` is a file; files appear and vanish while ComfyUI runs, the schema's list does not."""

    path: ClassVar[Callable[[str], Path]]
    """Each such node's own: the file of this name. Raises ValueError where there is none."""

    @classmethod
    def validate_inputs(cls, name) -> bool | str:
        if name is None:  # from a link, which is followed later
            return True
        try:
            cls.path(name)
        except ValueError as reason:
            return str(reason)
        return True

    @classmethod
    def fingerprint_inputs(cls, name, **others) -> str | float:
        """ComfyUI knows the other inputs by their values; of the file it must be told that it is another."""
        if name is None:  # from a link: never the same, so the file is read each time
            return float("nan")
        path = cls.path(name)
        return f"{path.name} {path.stat().st_mtime_ns} {path.stat().st_size}"
