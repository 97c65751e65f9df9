"""Where the pack's files are kept: a folder per kind in ComfyUI's output folder, and nothing outside of it.

And where a user puts texts for it to read: ComfyUI's input folder.
"""

import re
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ...distillation import storage as editor_storage
from ...distillation.pair_manifest import MANIFEST
from ...editing import storage as direction_storage
from ...inversion import storage as inversion_storage
from ...splice import storage as generator_storage
from ...storage.atomic_write import write_numbered
from ...storage.regular_file import lies_inside, read_regular
from ...storage.tensor_file import FileFormat
from .quoting import quoted

SUFFIX = ".safetensors"
LARGEST_TEXT = 8 * 2**20
"""Bytes; a thousand sentences are a tenth of a MiB."""


@dataclass(frozen=True)
class OutputFolder:
    """The folder of one kind of file."""

    name: str
    kind: FileFormat

    @property
    def folder(self) -> Path:
        return Path(folder_paths.get_output_directory()) / self.name

    def names(self) -> list[str]:
        """Names of the files in the folder, newest first."""
        return [path.name for path in sorted(_files(self.folder, SUFFIX), key=_age)]

    def keep(self, name: str, content: bytes) -> Path:
        """Save a file as `<name>_00001.safetensors`, counting up; gives its path. Nothing is overwritten.

        Raises ValueError for a name that cannot be used, NotWritten where the disk is full.
        """
        return write_numbered(self.folder, _checked(name.removesuffix(SUFFIX)), SUFFIX, content)

    def path_to_load(self, name: str) -> Path:
        """The file called `name`. Raises ValueError where there is none."""
        path = self.folder / f"{_checked(name.removesuffix(SUFFIX))}{SUFFIX}"
        if not path.is_file():
            raise ValueError(
                f"There is no {self.kind.noun} {quoted(name)} in the output folder {self.name!r}. "
                f"Save one with {self.kind.writer} first."
            )
        return _inside(path, self.folder)


INVERSIONS = OutputFolder("inversions", inversion_storage.KIND)
DIRECTIONS = OutputFolder("directions", direction_storage.KIND)
GENERATORS = OutputFolder("splice", generator_storage.KIND)
EDITORS = OutputFolder("editors", editor_storage.KIND)


def _checked(stem: str) -> str:
    """A file name without folders: letters, digits, space and . _ - only."""
    if not re.fullmatch(r"[^\W_][\w .\-]{0,99}", stem) or ".." in stem:
        raise ValueError(
            f"The name {quoted(stem)} cannot be used. Use letters, digits, spaces and . _ - only, beginning with a "
            "letter or digit, no folders."
        )
    return stem


def path_in_models(folder: str, name: str) -> Path:
    """A file that is listed for a folder of models. Raises ValueError where it is no file, or a link to none."""
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        raise ValueError(f"{name!r} in the folder models/{folder} is no file, or a link to none; put the file there.")
    return Path(path)


def pair_folder(name: str) -> Path:
    """Where the edit pairs called `name` are, or will be."""
    return Path(folder_paths.get_output_directory()) / "edit_pairs" / _checked(name)


def manifest_state(name: str) -> str:
    """Tells a collection of pairs apart from what it was before."""
    manifest = pair_folder(name) / MANIFEST
    return f"{manifest.stat().st_mtime_ns} {manifest.stat().st_size}" if manifest.is_file() else ""


def text_files() -> list[str]:
    """Names of the .txt files in ComfyUI's input folder."""
    return sorted(path.name for path in _files(Path(folder_paths.get_input_directory()), ".txt"))


def path_of_text(name: str) -> Path:
    """The file of the input folder called `name`. Raises ValueError where there is none."""
    path = Path(folder_paths.get_input_directory()) / f"{_checked(name.removesuffix('.txt'))}.txt"
    if not path.is_file():
        raise ValueError(f"There is no text {quoted(name)} in the input folder. Put a .txt file there and choose it.")
    return _inside(path, path.parent)


def read_text(path: Path) -> str:
    """What a text file says, UTF-8. Raises ValueError for a file that is something else, or too long."""
    try:
        return read_regular(path, LARGEST_TEXT).decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name!r} is no UTF-8 text; save it as UTF-8 from a text editor.") from error
    except FileNotFoundError as error:
        raise ValueError(f"There is no text {path.name!r} any more; choose another.") from error


def _files(folder: Path, suffix: str) -> list[Path]:
    return [path for path in folder.glob(f"*{suffix}") if path.is_file()]


def _age(path: Path) -> float:
    """For an order from the newest to the oldest; what has vanished since is old."""
    try:
        return -path.stat().st_mtime
    except OSError:
        return 0.0


def _inside(path: Path, folder: Path) -> Path:
    """The path. Raises ValueError where it is a link that leads out of the folder."""
    if not lies_inside(path, folder):
        raise ValueError(f"{path.name!r} is a link that leads out of the folder {folder.name!r}; copy the file there.")
    return path
