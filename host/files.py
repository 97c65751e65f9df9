"""Where the pack's files are kept: a folder per kind in the host's output folder, and nothing outside of it."""

import os
import re
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ..inversion import storage as inversion_storage
from ..storage.tensor_file import Kind

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
                f"There is no {self.kind.noun} {name!r} in the output folder {self.name!r}. "
                f"Save one with {self.kind.writer} first."
            )
        return path


INVERSIONS = Shelf("inversions", inversion_storage.KIND)


def _checked(stem: str) -> str:
    """A file name without folders: letters, digits, space and . _ - only."""
    if not re.fullmatch(r"[^\W_][\w .\-]{0,99}", stem) or ".." in stem:
        raise ValueError(
            f"The name {stem!r} cannot be used. Use letters, digits, spaces and . _ - only, beginning with a letter or "
            "digit, no folders."
        )
    return stem
