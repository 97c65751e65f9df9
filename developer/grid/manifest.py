"""What has become of every pair, kept beside the results after each of them, so that a run can stop at any time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...storage.whole_file import write_whole
from ..console import Trouble, writing
from .pairs import Pair
from .worker import Answer

DONE, FAILED = "done", "failed"


class Manifest:
    """`manifest.json` in the folder of the results: pair by pair, in which files it is or why it is not.

    A file is there whole or not at all, and named in the manifest only once it is there.
    """

    def __init__(self, folder: Path, workflow: str) -> None:
        """workflow: a digest of what makes the results. Raises `Trouble` where the folder holds those of another."""
        self.folder = folder
        self.path = folder / "manifest.json"
        self._content: dict[str, Any] = self._read() or {"workflow": workflow, "pairs": {}}
        if self._content["workflow"] != workflow:
            raise Trouble(
                f"{folder} holds the results of another workflow or of other options. Choose another folder with "
                "--out, or remove this one."
            )

    def unfinished(self, pairs: Sequence[Pair]) -> list[Pair]:
        """The pairs that are not done: never made, failed, of pictures that have changed since, or with a file gone."""
        return [pair for pair in pairs if not self._is_done(pair)]

    def failed(self, pairs: Sequence[Pair]) -> dict[str, str]:
        """Why pairs failed, by their names."""
        entries = {pair.name: self._content["pairs"].get(pair.name, {}) for pair in pairs}
        return {name: entry["told"] for name, entry in entries.items() if entry.get("state") == FAILED}

    def record(self, pair: Pair, answer: Answer) -> None:
        """Keep the pictures of a pair, or why there are none."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        endings = ["", *(f"_{number}" for number in range(2, len(answer.pictures) + 1))][: len(answer.pictures)]
        files = [f"{pair.name}{ending}.png" for ending in endings]
        for file, picture in zip(files, answer.pictures, strict=True):
            with writing(self.folder / file):
                write_whole(self.folder / file, picture)
        self._content["pairs"][pair.name] = {
            "state": FAILED if answer.told else DONE,
            "structure": pair.structure.path.name,
            "appearance": pair.appearance.path.name,
            "pictures": [pair.structure.digest, pair.appearance.digest],
            "files": files,
            "seconds": round(answer.seconds, 2),
            "told": answer.told,
        }
        with writing(self.path):
            write_whole(self.path, (json.dumps(self._content, indent=1) + "\n").encode())

    def files(self, pair: Pair) -> list[Path]:
        """The results of a pair, none where it is not done."""
        return [self.folder / file for file in self._content["pairs"].get(pair.name, {}).get("files", ())]

    def _is_done(self, pair: Pair) -> bool:
        entry = self._content["pairs"].get(pair.name, {})
        same = entry.get("pictures") == [pair.structure.digest, pair.appearance.digest]
        return entry.get("state") == DONE and same and all(file.is_file() for file in self.files(pair))

    def _read(self) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {"workflow": content["workflow"], "pairs": dict(content["pairs"])}
        except (ValueError, KeyError, TypeError):
            raise Trouble(f"{self.path} is no manifest of dev.py grid. Choose another folder with --out.") from None
