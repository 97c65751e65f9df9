"""The commands of dev.py that run inside the environment."""

import argparse
import importlib
import os
import subprocess
import sys
from collections.abc import Callable

from .cli_output import CliError, echo
from .client import Client
from .frontend import VARIABLE, page_of
from .installation import Installation
from .node_list import listed_nodes
from .paths import ROOT, contained_environment
from .ports import port_to_serve
from .serve_words import check
from .server import OWN_GROUP, PACK, host_command, host_environment, running, stop, temporary_home

TIERS = "012345"
MOST_WORKERS = 4  # each boots a host of its own, of 1 to 2 GB
NOT_IN_CI = "not tier5 and not real"  # minutes of measuring, real networks: on demand


def nodes(options: argparse.Namespace, installation: Installation) -> int:
    """Our nodes, one per line: id, label, category."""
    for node in listed_nodes():
        echo(f"{node.id}\t{node.label}\t{node.category}")
    return 0


def generate(options: argparse.Namespace, installation: Installation) -> int:
    """Write the files that follow from the nodes: workflows, blueprints, docs/nodes.md, the English locale."""
    from .generated import generated

    with temporary_home() as home, running(installation.host, home) as address:
        files = generated(Client(address).get("/object_info"))
    for path, text in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        changed = not path.is_file() or path.read_text(encoding="utf-8") != text
        path.write_text(text, encoding="utf-8", newline="\n")
        echo(f"{'wrote' if changed else 'as it was:'} {path.relative_to(ROOT).as_posix()}")
    return 0


def serve(options: argparse.Namespace, installation: Installation) -> int:
    """ComfyUI with the pack, in the foreground, until Ctrl-C. What a user makes there stays in out/comfyui."""
    words = options.rest
    port = port_to_serve(words)
    home = ROOT / "out" / "comfyui"
    home.mkdir(parents=True, exist_ok=True)
    check(installation.host, home, words)
    command = host_command(installation.host, home, PACK, port, words)
    echo(f"Serving at http://127.0.0.1:{port} (images and workflows are kept in {home}). Ctrl-C stops it.")
    process = subprocess.Popen(command, cwd=home, env=host_environment(), **OWN_GROUP)
    try:
        return process.wait()
    finally:
        stop(process)


def test(options: argparse.Namespace, installation: Installation) -> int:
    """pytest: all that CI runs; or one tier, or `--real`, or one folder of tests/; further words go to pytest.

    `--frontend VERSION` comes first: the tests of server and page run on that version of ComfyUI's page.
    """
    words = options.rest
    command = [sys.executable, "-P", "-m", "pytest"]  # -P: our folder `nodes` must not hide ComfyUI's module
    environment = contained_environment() | {"COMFYUI_PATH": installation.comfyui}
    if words[:1] == ["--frontend"]:
        environment[VARIABLE] = str(page_of("".join(words[1:2])))
        words = words[2:]
    if not words:
        workers = min(os.cpu_count() or 1, MOST_WORKERS)
        command += ["-m", NOT_IN_CI, "-n", str(workers), "--dist", "loadfile"]
        environment["OMP_NUM_THREADS"] = "1"  # a worker is a thread; more than there are cores hinder one another
    elif len(words[0]) == 1 and words[0] in TIERS:
        command += ["-m", f"tier{words[0]}", *words[1:]]
    elif words[0] == "--real":
        command += ["-m", "real", *words[1:]]
    elif (ROOT / "tests" / words[0]).is_dir():
        command += [f"tests/{words[0]}", *words[1:]]
    else:
        command += words
    return subprocess.run(command, cwd=ROOT, env=environment).returncode


def bench(options: argparse.Namespace, installation: Installation) -> int:
    """The report, with its options; or `main(installation, arguments)` of one module in benchmarks/; or their list."""
    names = sorted(path.stem for path in (ROOT / "benchmarks").glob("*.py") if path.stem != "__init__")
    if options.rest == ["--list"]:
        echo("\n".join(names))
        return 0
    name, *words = options.rest or ["report"]
    if name == "--real":
        name = "real"
    elif name.startswith("-"):
        name, words = "report", options.rest
    if name not in names:
        raise CliError(f"There is no benchmark {name!r}; there are: {', '.join(names)}.")
    return importlib.import_module(f"appearance_transfer.benchmarks.{name}").main(installation, words) or 0


def demo(options: argparse.Namespace, installation: Installation) -> int:
    """Transfer an appearance, end to end, and measure it."""
    from .demo import run

    return run(options, installation)


def grid(options: argparse.Namespace, installation: Installation) -> int:
    """Run a workflow over every structure with every appearance."""
    from .grid.command import run

    return run(options, installation)


def report(options: argparse.Namespace, installation: Installation) -> int:
    """Make a page of transfers between a user's own images, to look at and to send back."""
    from .own_report.command import run

    return run(options, installation)


COMMANDS: dict[str, Callable[[argparse.Namespace, Installation], int]] = {
    function.__name__: function for function in (nodes, generate, serve, test, bench, demo, grid, report)
}
