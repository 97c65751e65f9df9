"""Where the pack's files are kept: a folder per kind in the host's output folder, and nothing outside of it.

And where a person puts texts for it to read: the host's input folder.
"""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ..distillation import storage as editor_storage
from ..distillation.pairs import MANIFEST
from ..editing import storage as direction_storage
from ..inversion import storage as inversion_storage
from ..splice import storage as generator_storage
from ..storage.tensor_file import Kind
from .quoting import quoted

SUFFIX = ".safetensors"


@dataclass(frozen=True)
class Shelf:
    """The folder of one kind of file."""

    name: str
    kind: Kind

    @property
    def folder(self) -> Path:
        return Path(folder_paths.get_output_directory()) / self.name

    def names(self) -> list[str]:
        """Names of the files in the folder, newest first."""
        files = self.folder.glob(f"*{SUFFIX}")
        return [path.name for path in sorted(files, key=os.path.getmtime, reverse=True)]

    def path_to_save(self, name: str) -> Path:
        """A fresh path: `<name>_00001.safetensors`, counting up. Makes the folder; nothing is overwritten."""
        stem = _checked(name.removesuffix(SUFFIX))
        self.folder.mkdir(parents=True, exist_ok=True)
        number = 1
        while (path := self.folder / f"{stem}_{number:05}{SUFFIX}").exists():
            number += 1
        return path

    def path_to_load(self, name: str) -> Path:
        """The file called `name`. Raises ValueError where there is none."""
        path = self.folder / f"{_checked(name.removesuffix(SUFFIX))}{SUFFIX}"
        if not path.is_file():
            raise ValueError(
                f"There is no {self.kind.noun} {quoted(name)} in the output folder {self.name!r}. "
                f"Save one with {self.kind.writer} first."
            )
        return path


INVERSIONS = Shelf("inversions", inversion_storage.KIND)
DIRECTIONS = Shelf("directions", direction_storage.KIND)
GENERATORS = Shelf("splice", generator_storage.KIND)
EDITORS = Shelf("editors", editor_storage.KIND)


def _checked(stem: str) -> str:
    """A file name without folders: letters, digits, space and . _ - only."""
    if not re.fullmatch(r"[^\W_][\w .\-]{0,99}", stem) or ".." in stem:
        raise ValueError(
            f"The name {quoted(stem)} cannot be used. Use letters, digits, spaces and . _ - only, beginning with a "
            "letter or digit, no folders."
        )
    return stem


def pair_folder(name: str) -> Path:
    """Where the edit pairs called `name` are, or will be."""
    return Path(folder_paths.get_output_directory()) / "edit_pairs" / _checked(name)


def manifest_state(name: str) -> str:
    """Tells a collection of pairs apart from what it was before."""
    manifest = pair_folder(name) / MANIFEST
    return f"{manifest.stat().st_mtime_ns} {manifest.stat().st_size}" if manifest.is_file() else ""


def text_files() -> list[str]:
    """Names of the .txt files in the host's input folder."""
    return sorted(path.name for path in Path(folder_paths.get_input_directory()).glob("*.txt"))


def path_of_text(name: str) -> Path:
    """The file of the input folder called `name`. Raises ValueError where there is none."""
    path = Path(folder_paths.get_input_directory()) / f"{_checked(name.removesuffix('.txt'))}.txt"
    if not path.is_file():
        raise ValueError(f"There is no text {quoted(name)} in the input folder. Put a .txt file there and choose it.")
    return path


def read_text(path: Path) -> str:
    """What a text file says, UTF-8. Raises ValueError for a file that is something else."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name!r} is no UTF-8 text; save it as UTF-8 from a text editor.") from error
