"""Which images are paired, and what their result is called."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..cli_output import CliError

IMAGES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class GridImage:
    """A file, a short name that no other image of its folder has, and the sha256 of what it holds."""

    path: Path
    name: str
    digest: str


@dataclass(frozen=True)
class GridPair:
    """One result to make."""

    structure: GridImage
    appearance: GridImage

    @property
    def name(self) -> str:
        """What its files are called, without suffix."""
        return f"{self.structure.name}__{self.appearance.name}"


def images_in(folder: str) -> list[GridImage]:
    """The images of a folder by name; `CliError` where there is none. Those in folders inside it do not count."""
    if not Path(folder).is_dir():
        raise CliError(f"There is no folder {folder}.")
    paths = image_files(folder)
    stems = Counter(path.stem.lower() for path in paths)
    return [_image(path, path.stem if stems[path.stem.lower()] == 1 else path.name) for path in paths]


def image_files(folder: str) -> list[Path]:
    """The files of `images_in`."""
    paths = sorted(path for path in Path(folder).iterdir() if path.suffix.lower() in IMAGES and path.is_file())
    if not paths:
        raise CliError(f"The folder {folder} holds no images ({', '.join(sorted(IMAGES))}).")
    return paths


def every_pair(structures: Sequence[GridImage], appearances: Sequence[GridImage]) -> list[GridPair]:
    """All appearances on the first structure, then all on the second; `CliError` where two results were called
    alike.
    """
    pairs = [GridPair(structure, appearance) for structure in structures for appearance in appearances]
    name, count = Counter(pair.name.lower() for pair in pairs).most_common(1)[0]
    if count > 1:
        raise CliError(f"{count} pairs would be called {name}. Rename one of these images.")
    return pairs


def next_pair(waiting: Sequence[GridPair], last: GridImage | None, taken: Collection[GridImage | None]) -> GridPair:
    """The pair that a server should make next, so that few images are inverted on more than one of them.

    That is one of its `last` structure; else one whose structure no other server is at (`taken`); else any.
    """
    own = (pair for pair in waiting if pair.structure == last)
    free = (pair for pair in waiting if pair.structure not in taken)
    return next(own, None) or next(free, None) or waiting[0]


def _image(path: Path, name: str) -> GridImage:
    try:
        return GridImage(path, name, hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError as error:
        raise CliError(f"{path} cannot be read: {error.strerror or error}.") from None
