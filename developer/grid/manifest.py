"""What has become of every pair, kept beside the results after each of them, so that a run can stop at any time."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ...storage.atomic_write import atomic_write
from ..cli_output import CliError, writing
from .pairs import GridPair
from .worker import JobResult

DONE, FAILED = "done", "failed"


class Manifest:
    """`manifest.json` in the folder of the results: pair by pair, in which files it is or why it is not.

    A file is there whole or not at all, and named in the manifest only once it is there.
    """

    def __init__(self, folder: Path, workflow: str) -> None:
        """workflow: a digest of what makes the results. Raises `CliError` where the folder holds those of another."""
        self.folder = folder
        self.path = folder / "manifest.json"
        self._content: dict[str, Any] = self._read() or {"workflow": workflow, "pairs": {}}
        if self._content["workflow"] != workflow:
            raise CliError(
                f"{folder} holds the results of another workflow or of other options. Choose another folder with "
                "--out, or remove this one."
            )

    def unfinished(self, pairs: Sequence[GridPair]) -> list[GridPair]:
        """The pairs that are not done: never made, failed, of images that have changed since, or with a file gone."""
        return [pair for pair in pairs if not self._is_done(pair)]

    def failed(self, pairs: Sequence[GridPair]) -> dict[str, str]:
        """Why pairs failed, by their names."""
        entries = {pair.name: self._content["pairs"].get(pair.name, {}) for pair in pairs}
        return {name: entry["told"] for name, entry in entries.items() if entry.get("state") == FAILED}

    def record(self, pair: GridPair, answer: JobResult) -> None:
        """Keep the images of a pair, or why there are none."""
        with writing(self.folder):
            self.folder.mkdir(parents=True, exist_ok=True)
        endings = ["", *(f"_{number}" for number in range(2, len(answer.images) + 1))][: len(answer.images)]
        files = [f"{pair.name}{ending}.png" for ending in endings]
        for file, image in zip(files, answer.images, strict=True):
            with writing(self.folder / file):
                atomic_write(self.folder / file, image)
        self._content["pairs"][pair.name] = {
            "state": FAILED if answer.failure else DONE,
            "structure": pair.structure.path.name,
            "appearance": pair.appearance.path.name,
            "images": [pair.structure.digest, pair.appearance.digest],
            "files": files,
            "seconds": round(answer.seconds, 2),
            "told": answer.failure,
        }
        with writing(self.path):
            atomic_write(self.path, (json.dumps(self._content, indent=1) + "\n").encode())

    def files(self, pair: GridPair) -> list[Path]:
        """The results of a pair, none where it is not done."""
        return [self.folder / file for file in self._content["pairs"].get(pair.name, {}).get("files", ())]

    def _is_done(self, pair: GridPair) -> bool:
        entry = self._content["pairs"].get(pair.name, {})
        same = entry.get("images") == [pair.structure.digest, pair.appearance.digest]
        return entry.get("state") == DONE and same and all(file.is_file() for file in self.files(pair))

    def _read(self) -> dict[str, Any] | None:
        if not self.path.is_file():
            return None
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
            return {"workflow": content["workflow"], "pairs": dict(content["pairs"])}
        except (ValueError, KeyError, TypeError):
            raise CliError(f"{self.path} is no manifest of dev.py grid. Choose another folder with --out.") from None
