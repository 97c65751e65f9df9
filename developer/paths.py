"""Where everything lies: the repository and the folders in it that `dev.py` fills."""

import os
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
PACK_NAME = "appearance-transfer"  # the folder name under which ComfyUI sees the pack, whatever the clone is called

VENV = ROOT / ".venv"
COMFYUI = ROOT / ".comfyui"
CACHE = ROOT / ".cache"
OUT = ROOT / "out"


def venv_python() -> Path:
    """The interpreter inside `.venv`, whether or not it exists yet."""
    return VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def inside_venv() -> bool:
    """Is this process already running in `.venv`?"""
    return Path(sys.prefix).resolve() == VENV.resolve()


def contained_environment() -> dict[str, str]:
    """The environment for every process we start: its caches and temporary files stay inside the repository.

    An index that the user gave to pip is passed on to uv, which has variables of its own.
    """
    environment = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "PYTHONHOME")}
    temporary = CACHE / "tmp"
    temporary.mkdir(parents=True, exist_ok=True)
    environment |= dict.fromkeys(("TMPDIR", "TEMP", "TMP"), str(temporary))
    environment |= {
        "UV_CACHE_DIR": str(CACHE / "uv"),
        "PIP_CACHE_DIR": str(CACHE / "pip"),
        "XDG_CACHE_HOME": str(CACHE),
        "HF_HOME": str(CACHE / "huggingface"),
        "TORCH_HOME": str(CACHE / "torch"),
        "TRITON_CACHE_DIR": str(CACHE / "triton"),
        "PYTHONPYCACHEPREFIX": str(CACHE / "bytecode"),
        "PYTHONDONTWRITEBYTECODE": "",  # kept: compiling torch and ComfyUI anew takes half of what a process start does
        "PYTHONNOUSERSITE": "1",
        "PIP_DISABLE_PIP_VERSION_CHECK": "1",
        "UV_PYTHON_DOWNLOADS": "never",
    }
    for pips, uvs in (("PIP_INDEX_URL", "UV_DEFAULT_INDEX"), ("PIP_CERT", "SSL_CERT_FILE")):
        if pips in environment:
            environment.setdefault(uvs, environment[pips])
    return environment
