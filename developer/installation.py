"""`dev.py setup`: the environment `.venv`, ComfyUI, and the pinned packages that both need.

Everything is decided by one digest of what was asked for. Where the environment carries the same digest, there is
nothing to do, so a second setup costs a fraction of a second.
"""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import venv
from dataclasses import asdict, dataclass
from pathlib import Path

from . import comfyui
from .cli_output import CliError, echo, step
from .paths import ROOT, VENV, contained_environment, venv_python

UV = "uv==0.13.8"
ROOM_NEEDED = 9 * 2**30  # bytes; torch for Linux brings the CUDA libraries along
STAMP = VENV / "appearance-transfer.json"


@dataclass(frozen=True)
class Installation:
    """What stands ready.

    comfyui: ComfyUI's folder. torch_index: where torch came from, besides the usual index. packages: a digest of every
    package list that went into the environment.
    """

    comfyui: str
    torch_index: str | None
    packages: str

    @property
    def host(self) -> Path:
        return Path(self.comfyui)


def setup(
    comfyui_path: str | None = None, comfyui_tag: str | None = None, torch_index: str | None = None
) -> Installation:
    """Make everything ready, doing only what is missing.

    ComfyUI is, in this order: the one asked for, the one in COMFYUI_PATH, the one of the last setup, the default.
    """
    last = current()
    _environment()  # forgets what it held where it has to be made anew
    host = _host(comfyui_path or os.environ.get("COMFYUI_PATH"), comfyui_tag, last)
    torch_index = torch_index or (last.torch_index if last else None)
    requested = Installation(str(host), torch_index, _digest(host))
    if current() != requested:
        _packages(host, torch_index)
        STAMP.write_text(json.dumps(asdict(requested), indent=1), encoding="utf-8")
    return requested


def _environment() -> None:
    """A `.venv` whose interpreter starts; a broken one (the Python that it was made from is gone) is made anew."""
    if venv_python().is_file():
        if subprocess.run([venv_python(), "-c", ""], capture_output=True).returncode == 0:
            return
        echo(".venv no longer starts; making it anew.")
    with step(f"Creating .venv with Python {sys.version.split()[0]}"):
        try:
            venv.create(VENV, clear=True, with_pip=True, symlinks=os.name != "nt")
        except (subprocess.CalledProcessError, OSError) as error:
            hint = "on Debian and Ubuntu, install python3-venv"
            raise CliError(f"This Python cannot create an environment with pip ({error}); {hint}.") from None


def _host(path: str | None, tag: str | None, last: Installation | None) -> Path:
    if tag:
        return comfyui.from_git(tag)
    if path:
        return comfyui.installed(path)
    if last and last.host.is_dir():
        return comfyui.installed(last.comfyui)
    return comfyui.from_registry()


def _package_lists(host: Path) -> list[Path]:
    return [ROOT / "requirements-dev.txt", ROOT / "requirements.txt", host / "requirements.txt"]


def _digest(host: Path) -> str:
    """Changes when any package list or the pins change."""
    digest = hashlib.sha256()
    for path in [*_package_lists(host), ROOT / "constraints.txt"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def current() -> Installation | None:
    """What the environment says it holds; None when it was never finished."""
    try:
        return Installation(**json.loads(STAMP.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return None


def _packages(host: Path, torch_index: str | None) -> None:
    """Install every list in one go, by uv where it can be had (ten times faster), by pip otherwise."""
    renewal = current() is not None
    if not renewal and shutil.disk_usage(ROOT).free < ROOM_NEEDED:
        raise CliError(f"Setup needs about {ROOM_NEEDED >> 30} GB of free disk here, more than there is.")
    lists = [word for path in _package_lists(host) for word in ("-r", str(path))]
    if host == comfyui.DEFAULT:  # another host may pin other versions of its own parts
        lists += ["-c", str(ROOT / "constraints.txt")]
    if torch_index:
        lists += ["--extra-index-url", torch_index]
    with step("Renewing the packages" if renewal else "Installing the packages (6 GB where torch brings CUDA along)"):
        by_uv = _uv()
        if by_uv and _run([*by_uv, "pip", "install", "--python", str(venv_python()), *lists]):
            return
        if by_uv:
            echo("uv did not succeed; trying the same with pip.")
        if not _run([str(venv_python()), "-m", "pip", "install", *lists]):
            raise CliError("The packages could not be installed; what pip said stands above.")


def _uv() -> list[str] | None:
    """How to call uv: the one on the path, the one in `.venv`, or none when it cannot be installed either."""
    if shutil.which("uv"):
        return ["uv"]
    inside = [str(venv_python()), "-m", "uv"]
    if subprocess.run([*inside, "--version"], capture_output=True).returncode == 0:
        return inside
    return inside if _run([str(venv_python()), "-m", "pip", "install", "--quiet", UV]) else None


def _run(command: list[str]) -> bool:
    return subprocess.run(command, cwd=ROOT, env=contained_environment()).returncode == 0
