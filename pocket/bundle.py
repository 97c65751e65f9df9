"""Pack the trainer for a bare GPU machine: `python -m pocket.bundle pocket_training.tar.gz`.

There, with only Python, torch, numpy and safetensors, and no network:

    tar xzf pocket_training.tar.gz && python -m pocket.train --plan gpu --minutes 25
"""

from __future__ import annotations

import argparse
import tarfile
from pathlib import Path

_HERE = Path(__file__).parent
_LEFT_OUT = {"bundle.py", "checkpoint_file.py"}  # reading it needs the pack's loader of files


def write_bundle(path: Path, with_run: bool = False) -> int:
    """Write a gzipped tar with the package `pocket` and return its size in bytes.

    Only code and the word table go in, unless `with_run` asks for the unfinished run too, to be continued there.
    """
    files = [file for file in sorted(_HERE.glob("*.py")) if file.name not in _LEFT_OUT] + [_HERE / "words.json"]
    if with_run:
        files += [file for file in sorted((_HERE / "runs").rglob("*.safetensors"))]
    with tarfile.open(path, "w:gz") as archive:
        for file in files:
            archive.add(file, Path("pocket") / file.relative_to(_HERE))
    return path.stat().st_size


def main() -> None:
    """Parse the command line and write the archive."""
    parser = argparse.ArgumentParser(prog="python -m pocket.bundle", description=__doc__)
    parser.add_argument("path", type=Path, help="the archive to write")
    parser.add_argument("--with-run", action="store_true", help="take the unfinished run along")
    options = parser.parse_args()
    write_bundle(options.path, options.with_run)


if __name__ == "__main__":
    main()
