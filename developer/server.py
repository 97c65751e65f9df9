"""Start a real ComfyUI with the pack in it, headless, and stop it again whatever happens.

ComfyUI gets a home of its own (models, input, output, temp, user, custom_nodes), so that it neither reads nor writes
anything of an installed ComfyUI. The pack appears in `custom_nodes` as a link: the repository may lie anywhere under
any name, and nothing but the packs that were asked for is ever seen as one.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from .cli_output import CliError, writing
from .paths import CACHE, PACK_NAME, ROOT, contained_environment, venv_python
from .ports import free_port

PACK = {PACK_NAME: ROOT}
STARTS_WITHIN = 600  # seconds; 15 are usual, but the disk may be cold and the processor busy
STOPS_WITHIN = 15
# In a group of its own ComfyUI does not see Ctrl-C at the terminal: we do, and stop it in order.
OWN_GROUP: dict[str, Any] = (
    {"creationflags": getattr(subprocess, "CREATE_NEW_PROCESS_GROUP", 0)}
    if os.name == "nt"
    else {"start_new_session": True}
)
LOCAL = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # a proxy must not see loopback


@contextmanager
def temporary_home() -> Iterator[Path]:
    """A home for one run of ComfyUI, removed afterwards."""
    (CACHE / "tmp").mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="host-", dir=CACHE / "tmp", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


@contextmanager
def running(comfyui: Path, home: Path, packs: Mapping[str, Path] = PACK, options: Sequence[str] = ()) -> Iterator[str]:
    """Run ComfyUI for the length of a `with` block; gives its address, http://127.0.0.1:port.

    Its output goes to `home/host.log`. Raises `CliError` with the telling part of that log when it does not start, or
    when one of the packs fails to load.
    """
    port = free_port()
    log = home / "host.log"
    command = host_command(comfyui, home, packs, port, options)
    with open(log, "wb") as output:
        process = subprocess.Popen(
            command, cwd=home, env=host_environment(), stdout=output, stderr=subprocess.STDOUT, **OWN_GROUP
        )
        try:
            address = f"http://127.0.0.1:{port}"
            _wait_until_ready(process, address, log)
            yield address
        finally:
            stop(process)


def host_command(
    comfyui: Path, home: Path, packs: Mapping[str, Path], port: int, options: Sequence[str] = ()
) -> list[str]:
    """The command line of ComfyUI, after preparing its home."""
    for folder in ("custom_nodes", "models", "input", "output", "temp", "user"):
        (home / folder).mkdir(parents=True, exist_ok=True)
    for name, path in packs.items():
        link(home / "custom_nodes" / name, path)
    models = home / "extra_model_paths.yaml"
    models.write_text(json.dumps(_model_folders(comfyui)), encoding="utf-8")  # JSON is YAML, and quotes every path
    command = [str(venv_python()), str(comfyui / "main.py"), "--listen", "127.0.0.1", "--port", str(port)]
    command += ["--base-directory", str(home), "--extra-model-paths-config", str(models)]
    command += ["--database-url", "sqlite:///:memory:", "--disable-api-nodes", "--disable-auto-launch"]
    command += ["--disable-all-custom-nodes", "--whitelist-custom-nodes", *packs]
    if not has_accelerator():
        command.append("--cpu")
    return [*command, *options]


def lend_checkpoint(home: Path, checkpoint: str | None) -> None:
    """Show the user's checkpoint, and no other file of its folder, in the checkpoints of a home.

    ComfyUI walks all that is below a folder of models, and follows links: given the file's own folder it may come
    upon this home, and never return.
    """
    if not checkpoint:
        return
    file = Path(checkpoint).resolve()
    folder = home / "models" / "checkpoints"
    folder.mkdir(parents=True, exist_ok=True)
    with writing(folder / file.name):
        try:
            (folder / file.name).symlink_to(file)
        except OSError:  # Windows keeps links from users without the privilege
            os.link(file, folder / file.name)


def host_environment() -> dict[str, str]:
    """As for every child, and in UTF-8, without buffers."""
    return contained_environment() | {"PYTHONUTF8": "1", "PYTHONUNBUFFERED": "1"}


def has_accelerator() -> bool:
    """Can the installed torch use a GPU here? Without one ComfyUI must be told so, or it does not start."""
    if sys.platform != "darwin" and not any(map(shutil.which, ("nvidia-smi", "rocm-smi", "xpu-smi"))):
        return False
    question = [
        str(venv_python()),
        "-c",
        "import torch; print(torch.cuda.is_available() or torch.backends.mps.is_available())",
    ]
    answer = subprocess.run(question, capture_output=True, text=True, env=contained_environment())
    return answer.stdout.strip() == "True"


def stop(process: subprocess.Popen) -> None:
    """End ComfyUI: ask, wait, and only then insist."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(STOPS_WITHIN)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def log_excerpt(log: Path, lines: int = 30) -> str:
    """The part of ComfyUI's log that says why: from the first failure on, or simply its end. Without colors."""
    text = re.sub(r"\x1b\[[\d;]*m", "", log.read_text(encoding="utf-8", errors="replace"))
    printed = [line for line in text.splitlines() if line.strip()]
    first = next((i for i, line in enumerate(printed) if re.search(r"Traceback|Error while|\[ERROR\]", line)), -lines)
    return "\n".join(printed[first:][:lines])


def _wait_until_ready(process: subprocess.Popen, address: str, log: Path) -> None:
    give_up = time.monotonic() + STARTS_WITHIN
    while process.poll() is None and time.monotonic() < give_up:
        try:
            with LOCAL.open(f"{address}/system_stats", timeout=5):
                break
        except (urllib.error.URLError, ConnectionError, TimeoutError):
            time.sleep(0.25)
    else:
        found = "stopped while starting" if process.poll() is not None else f"did not start within {STARTS_WITHIN} s"
        raise CliError(f"ComfyUI {found}. From its log:\n{log_excerpt(log)}")
    if "(IMPORT FAILED)" in log.read_text(encoding="utf-8", errors="replace"):
        raise CliError(f"ComfyUI could not load the pack. From its log:\n{log_excerpt(log)}")


def link(path: Path, folder: Path) -> None:
    """Make `path` show `folder`: a symbolic link, or on Windows a junction, which needs no privilege."""
    if path.exists() and path.resolve() == folder.resolve():
        return
    if os.name == "nt":
        result = subprocess.run(["cmd", "/c", "mklink", "/J", str(path), str(folder)], capture_output=True)
        if result.returncode:
            reason = result.stderr.decode(errors="replace").strip()
            raise CliError(f"Windows could not link {path} to {folder}: {reason}.")
        return
    path.unlink(missing_ok=True)
    path.symlink_to(folder, target_is_directory=True)


def _model_folders(comfyui: Path) -> dict[str, dict[str, str]]:
    """The model folders of ComfyUI itself, so that the checkpoints a user already has can be chosen."""
    models = comfyui / "models"
    kinds = sorted(path.name for path in models.iterdir() if path.is_dir()) if models.is_dir() else []
    return {"comfyui": {"base_path": str(models), **{kind: kind for kind in kinds}}} if kinds else {}
