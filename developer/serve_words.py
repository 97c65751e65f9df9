"""The words after `dev.py serve`, which are ComfyUI's: what they may be, and which of them it would not take.

ComfyUI is not started for this: its own parser is asked, in a process of its own, which takes a fraction of a second.
"""

import subprocess
from collections.abc import Sequence
from pathlib import Path

from .cli_output import CliError
from .paths import contained_environment, venv_python

HELP = """usage: dev.py serve [--port N] [any other option of ComfyUI]

Runs ComfyUI with the pack, on port 8188 or the next free one. What a user makes there stays in out/comfyui.
All words go to ComfyUI's main.py as they are, e.g.

    python dev.py serve --port 8200
    python dev.py serve --listen 0.0.0.0 --lowvram --preview-method latent2rgb

dev.py itself gives it --base-directory out/comfyui, --listen 127.0.0.1, a free --port, --database-url in memory,
--extra-model-paths-config (the models of the ComfyUI that `dev.py setup` chose), --disable-api-nodes,
--disable-auto-launch, no pack but this one, and --cpu where there is no GPU. Where both name an option, yours counts.
"""
WITHOUT = "\nComfyUI's own options are listed here once `python dev.py setup` has run."
ASK = "import sys; sys.path.insert(0, sys.argv.pop(1)); from comfy.cli_args import parser; "
LIST, PARSE = ASK + "parser.print_help()", ASK + "parser.parse_args(sys.argv[1:])"


def help_text(comfyui: Path | None) -> str:
    """What `serve` takes; with ComfyUI's own options where there is one."""
    if comfyui is None:
        return HELP + WITHOUT
    asked = _ask(comfyui, comfyui, LIST)
    options = asked.stdout.partition("options:")[2].rstrip()
    return f"{HELP}\nComfyUI's options:{options}"


def check(comfyui: Path, home: Path, words: Sequence[str]) -> None:
    """Raises `CliError` where ComfyUI would not start for these words in the folder `home`, with its reason."""
    asked = _ask(comfyui, home, PARSE, *words)
    if asked.returncode == 2:
        reason = asked.stderr.strip().splitlines()[-1].partition("error: ")[2]
        raise CliError(f"ComfyUI does not take these words: {reason}. See python dev.py serve --help.")


def _ask(comfyui: Path, home: Path, question: str, *words: str) -> subprocess.CompletedProcess:
    command = [str(venv_python()), "-c", question, str(comfyui), *words]
    return subprocess.run(command, cwd=home, env=contained_environment(), capture_output=True, text=True)
