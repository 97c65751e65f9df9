"""Another version of ComfyUI's page than the pinned one, for tests: fetched from the registry, never installed."""

import re
import subprocess
from pathlib import Path

from .cli_output import CliError, step
from .paths import CACHE, contained_environment, venv_python

PACKAGE = "comfyui-frontend-package"
VARIABLE = "COMFYUI_FRONTEND"  # where tests find the page that they are to run on


def page_of(version: str) -> Path:
    """The folder that ComfyUI takes as --front-end-root. Raises `CliError` where there is no such version."""
    if not re.fullmatch(r"\d+\.\d+\.\d+", version):
        raise CliError(f"--frontend {version}: give a version of {PACKAGE}, such as 1.58.1.")
    target = CACHE / "frontend" / version
    static = target / "comfyui_frontend_package" / "static"
    if not static.is_dir():
        with step(f"Downloading {PACKAGE} {version}"):
            command = [str(venv_python()), "-m", "pip", "install", "--quiet", "--no-deps", "--target", str(target)]
            if subprocess.run([*command, f"{PACKAGE}=={version}"], env=contained_environment()).returncode:
                raise CliError(f"pip could not get {PACKAGE} {version}; what it said stands above.")
    return static
