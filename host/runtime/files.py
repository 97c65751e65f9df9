"""Where the pack's files are kept: a folder per kind in ComfyUI's output folder, and nothing outside of it."""

import re
from dataclasses import dataclass
from pathlib import Path

import folder_paths

from ...distillation import storage as editor_storage
from ...distillation.pair_manifest import MANIFEST
from ...editing import storage as direction_storage
from ...inversion import storage as inversion_storage
from ...splice import storage as generator_storage
from ...storage.atomic_write import reasons_told, write_numbered
from ...storage.regular_file import lies_inside
from ...storage.tensor_file import FileFormat
from .quoting import quoted

SUFFIX = ".safetensors"
RULE = "Use letters, digits, spaces and . _ - only, beginning with a letter or digit, and / between sub-folders."
TOKENS = ("year", "month", "day", "hour", "minute", "second")
"""What ComfyUI replaces in a filename_prefix, between two %."""


@dataclass(frozen=True)
class OutputFolder:
    """The folder of one kind of file."""

    name: str
    kind: FileFormat

    @property
    def folder(self) -> Path:
        return Path(folder_paths.get_output_directory()) / self.name

    def names(self) -> list[str]:
        """Names of the files in the folder and below, newest first: "cat_00001.safetensors", "sub/cat_00001..."."""
        return [self.name_of(path) for path in sorted(_files(self.folder, SUFFIX), key=_age)]

    def name_of(self, path: Path) -> str:
        """What `names` calls a file of this folder."""
        return path.relative_to(self.folder).as_posix()

    def keep(self, filename_prefix: str, content: bytes) -> Path:
        """Save a file as `<filename_prefix>_00001.safetensors`, counting up; gives its path. Nothing is overwritten.

        filename_prefix: with "/" for sub-folders, which are made, and %year% and the other TOKENS for the time.

        Raises ValueError for a prefix that cannot be used, NotWritten where the disk is full.
        """
        prefix = filename_prefix.removesuffix(SUFFIX)
        if not _is_relative(re.sub(f"%({'|'.join(TOKENS)})%", "0", prefix)):
            raise ValueError(
                f"The filename_prefix {quoted(filename_prefix)} cannot be used. {RULE} It may hold "
                f"%{'%, %'.join(TOKENS)}%."
            )
        if not lies_inside(self.folder.joinpath(*prefix.split("/")[:-1]), self.folder):
            raise ValueError(
                f"The filename_prefix {quoted(filename_prefix)} leads out of the folder {self.name!r} by a link. "
                "Choose another sub-folder."
            )
        with reasons_told(f"{prefix}{SUFFIX}"):
            folder, stem, number, *_ = folder_paths.get_save_image_path(prefix, str(self.folder))
        # The number is where to begin: another process may have taken it by now.
        return write_numbered(Path(folder), stem, SUFFIX, content, first=number)

    def path_to_load(self, name: str) -> Path:
        """The file called `name`, as `names` calls it. Raises ValueError where there is none, or not in this folder."""
        stem = name.removesuffix(SUFFIX)
        if not _is_relative(stem):
            raise ValueError(f"The name {quoted(name)} cannot be used. {RULE}")
        path = self.folder / f"{stem}{SUFFIX}"
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


def _is_relative(path: str) -> bool:
    """Whether every part of a path is a file name that is allowed, so that it leads downwards only."""
    return all(re.fullmatch(r"[^\W_][\w .\-]{0,99}", part) and ".." not in part for part in path.split("/"))


def path_in_models(folder: str, name: str) -> Path:
    """A file that is listed for a folder of models. Raises ValueError where it is no file, or a link to none."""
    path = folder_paths.get_full_path(folder, name)
    if path is None:
        raise ValueError(f"{name!r} in the folder models/{folder} is no file, or a link to none; put the file there.")
    return Path(path)


def pair_folder(name: str) -> Path:
    """Where the edit pairs called `name` are, or will be. Raises ValueError for a name that cannot be used."""
    if "/" in name or not _is_relative(name):
        raise ValueError(
            f"The name {quoted(name)} cannot be used. Use letters, digits, spaces and . _ - only, beginning with a "
            "letter or digit, no folders."
        )
    return Path(folder_paths.get_output_directory()) / "edit_pairs" / name


def manifest_state(name: str) -> str:
    """Tells a collection of pairs apart from what it was before."""
    manifest = pair_folder(name) / MANIFEST
    return f"{manifest.stat().st_mtime_ns} {manifest.stat().st_size}" if manifest.is_file() else ""


def _files(folder: Path, suffix: str) -> list[Path]:
    return [path for path in folder.rglob(f"*{suffix}") if path.is_file()]


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
