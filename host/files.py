"""Where inversions are kept: `inversions` in the host's output folder, and nothing outside of it."""

import os
import re
from pathlib import Path

import folder_paths

SUFFIX = ".safetensors"
FOLDER = "inversions"


def inversion_folder() -> Path:
    return Path(folder_paths.get_output_directory()) / FOLDER


def saved_inversions() -> list[str]:
    """Names of the files in the folder, newest first."""
    files = inversion_folder().glob(f"*{SUFFIX}")
    return [path.name for path in sorted(files, key=os.path.getmtime, reverse=True)]


def path_to_save(name: str) -> Path:
    """A fresh path for `name`: `<name>_00001.safetensors`, counting up. Makes the folder; nothing is overwritten."""
    stem = _checked(name.removesuffix(SUFFIX))
    inversion_folder().mkdir(parents=True, exist_ok=True)
    number = 1
    while (path := inversion_folder() / f"{stem}_{number:05}{SUFFIX}").exists():
        number += 1
    return path


def path_to_load(name: str) -> Path:
    """The file called `name`. Raises ValueError where there is none."""
    path = inversion_folder() / f"{_checked(name.removesuffix(SUFFIX))}{SUFFIX}"
    if not path.is_file():
        raise ValueError(
            f"There is no inversion {name!r} in the output folder {FOLDER!r}. Save one with Save Inversion first."
        )
    return path


def _checked(stem: str) -> str:
    """A file name without folders: letters, digits, space and . _ - only."""
    if not re.fullmatch(r"[^\W_][\w .\-]{0,99}", stem) or ".." in stem:
        raise ValueError(
            f"The name {stem!r} cannot be used. Use letters, digits, spaces and . _ - only, beginning with a letter or "
            "digit, no folders."
        )
    return stem
