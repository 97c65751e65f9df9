"""Which pictures are paired, and what their result is called."""

import hashlib
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path

from ..console import Trouble

PICTURES = {".png", ".jpg", ".jpeg", ".webp", ".bmp", ".tif", ".tiff"}


@dataclass(frozen=True)
class Picture:
    """A file, a short name that no other picture of its folder has, and the sha256 of what it holds."""

    path: Path
    name: str
    digest: str


@dataclass(frozen=True)
class Pair:
    """One result to make."""

    structure: Picture
    appearance: Picture

    @property
    def name(self) -> str:
        """What its files are called, without suffix."""
        return f"{self.structure.name}__{self.appearance.name}"


def pictures_in(folder: str) -> list[Picture]:
    """The pictures of a folder by name; `Trouble` where there is none. Those in folders inside it do not count."""
    place = Path(folder)
    if not place.is_dir():
        raise Trouble(f"There is no folder {folder}.")
    paths = sorted(path for path in place.iterdir() if path.suffix.lower() in PICTURES and path.is_file())
    if not paths:
        raise Trouble(f"The folder {folder} holds no pictures ({', '.join(sorted(PICTURES))}).")
    stems = Counter(path.stem.lower() for path in paths)
    return [_picture(path, path.stem if stems[path.stem.lower()] == 1 else path.name) for path in paths]


def every_pair(structures: Sequence[Picture], appearances: Sequence[Picture]) -> list[Pair]:
    """All appearances on the first structure, then all on the second; `Trouble` where two results were called alike."""
    pairs = [Pair(structure, appearance) for structure in structures for appearance in appearances]
    name, count = Counter(pair.name.lower() for pair in pairs).most_common(1)[0]
    if count > 1:
        raise Trouble(f"{count} pairs would be called {name}. Rename one of these pictures.")
    return pairs


def next_pair(waiting: Sequence[Pair], last: Picture | None, taken: Collection[Picture | None]) -> Pair:
    """The pair that a server should make next, so that few pictures are inverted on more than one of them.

    That is one of its `last` structure; else one whose structure no other server is at (`taken`); else any.
    """
    own = (pair for pair in waiting if pair.structure == last)
    free = (pair for pair in waiting if pair.structure not in taken)
    return next(own, None) or next(free, None) or waiting[0]


def _picture(path: Path, name: str) -> Picture:
    try:
        return Picture(path, name, hashlib.sha256(path.read_bytes()).hexdigest())
    except OSError as error:
        raise Trouble(f"{path} cannot be read: {error.strerror or error}.") from None
