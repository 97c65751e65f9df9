"""Where results come from: command, day, commit, machine and versions, in origins.json beside the files."""

from __future__ import annotations

import json
import os
import platform
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path

from filelock import FileLock

from ...developer.comfyui import version
from ...developer.installation import current
from ...developer.paths import CACHE, ROOT
from . import RESULTS

FILE = "origins.json"
GIBIBYTE = 2**30


@dataclass(frozen=True)
class Origin:
    """What made a file. commit: of the pack, "-dirty" where files were changed since.

    caveat: what was found wrong with the run afterwards, in a sentence; it goes when the file is made anew.
    """

    command: str
    date: str
    commit: str
    machine: str
    versions: str
    caveat: str = ""

    def __str__(self) -> str:
        return f"`{self.command}`, {self.date}, commit {self.commit}, {self.machine}, {self.versions}"


def here_and_now() -> Origin:
    """This process's command, now, on this machine."""
    return Origin(
        command=" ".join(["python", Path(sys.argv[0]).name, *(_quoted(word) for word in sys.argv[1:])]),
        date=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        commit=_commit(),
        machine=_machine(),
        versions=_versions(),
    )


def note(path: Path, *, rows_stay: bool = False) -> None:
    """Keep in origins.json that this process has written `path`.

    rows_stay: the file holds rows of earlier runs as well, so their origins stay beside the new one.
    """
    origin = here_and_now()
    CACHE.mkdir(parents=True, exist_ok=True)
    with FileLock(CACHE / f"{FILE}.lock"):  # the report runs several benchmarks at a time
        known = _read(path.parent)
        before = [one for one in known.get(path.name, []) if rows_stay and one["command"] != origin.command]
        known[path.name] = [*before, asdict(origin)]
        unfinished = path.parent / f"{FILE}.part"
        unfinished.write_text(json.dumps(known, indent=1, sort_keys=True) + "\n", encoding="utf-8")
        unfinished.replace(path.parent / FILE)


def origins(path: Path) -> Sequence[Origin]:
    """Every run that left something in a file; none where nobody noted it."""
    return [Origin(**one) for one in _read(path.parent).get(path.name, [])]


def caveats(folder: Path) -> dict[str, list[str]]:
    """What is known to be wrong with results of a folder, and with which files."""
    found: dict[str, list[str]] = {}
    for name in sorted(_read(folder)):
        for caveat in sorted({origin.caveat for origin in origins(folder / name)} - {""}):
            found.setdefault(caveat, []).append(name)
    return found


def benchmarks_run(folder: Path) -> set[str]:
    """Names of the benchmarks that have left something in a folder, from the words behind `bench`."""
    commands = (one["command"].split() for entries in _read(folder).values() for one in entries)
    return {words[words.index("bench") + 1].lstrip("-") for words in commands if "bench" in words[:-1]}


def _read(folder: Path) -> dict[str, list[dict[str, str]]]:
    file = folder / FILE
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}


def _quoted(word: str) -> str:
    return f'"{word}"' if " " in word else word


def _commit() -> str:
    """Of the checkout, "-dirty" where more than results has changed since; where the tree is none, it says so."""
    try:
        commit = _git("rev-parse", "--short", "HEAD").strip()
        changed = _git(
            "status", "--porcelain", "--untracked-files=no", "--", ".", f":!{RESULTS.relative_to(ROOT).as_posix()}"
        ).strip()
    except FileNotFoundError:
        return "unknown (no git)"
    return commit + ("-dirty" if changed else "") if commit else "unknown (no git checkout)"


def _git(*words: str) -> str:
    return subprocess.run(["git", *words], cwd=ROOT, capture_output=True, text=True).stdout


def _machine() -> str:
    """Processor, cores, threads in use, memory, GPU."""
    import psutil
    import torch

    memory = psutil.virtual_memory().total / GIBIBYTE
    threads = torch.get_num_threads()
    parts = [_processor(), f"{os.cpu_count()} cores of which {threads} used", f"{memory:.0f} GiB"]
    if torch.cuda.is_available():
        parts.append(torch.cuda.get_device_name())
    return ", ".join(parts)


def _processor() -> str:
    """Its name where the system tells it, as Linux does in /proc/cpuinfo."""
    about = Path("/proc/cpuinfo")
    lines = about.read_text(encoding="utf-8").splitlines() if about.is_file() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor() or platform.machine()


def _versions() -> str:
    import torch

    ready = current()
    host = version(ready.host) if ready else "unknown"
    return f"Python {platform.python_version()}, torch {torch.__version__}, ComfyUI {host}"
