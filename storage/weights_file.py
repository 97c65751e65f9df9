"""Files of weights that others made, open to be judged: `.safetensors`, and `.pth` of torch.save."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from .regular_file import open_regular
from .safetensors_table import read_table
from .tensor_table import TensorTable
from .torch_archive import read_archive

SAFE, PICKLED = ".safetensors", ".pth"


@contextmanager
def open_weights(path: Path) -> Iterator[TensorTable]:
    """What a file holds, by its ending, to be judged and read inside; a reason raised there is told of the file.

    Raises ValueError, a sentence that names the file.
    """
    with open_regular(path) as file:
        try:
            table = read_archive(file) if path.suffix == PICKLED else read_table(file)
        except ValueError as error:
            raise ValueError(
                f"{path.name!r} cannot be used: it is damaged, incomplete or holds more than weights ({error}). Get "
                "the file again, or choose another."
            ) from error
        try:
            yield table
        except ValueError as error:
            raise ValueError(f"{path.name!r} cannot be used. {error}") from error
