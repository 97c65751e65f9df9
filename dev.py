#!/usr/bin/env python3
"""One command line for people: setup, demo, grid, report, serve, test, bench, nodes, generate.

Needs only Python to start: every command first makes ready what is missing (see developer/installation.py), so each
works on a fresh clone.
"""

import sys

if sys.version_info < (3, 11):  # noqa: UP036  (said before anything newer is read)
    sys.exit("dev.py: Python 3.11 or newer is needed; this is " + sys.version.split()[0] + ".")

import argparse
import importlib.util
import os
import signal
import subprocess
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent


def import_pack() -> None:
    """Import the repository as the package `appearance_transfer`, whatever its folder is called.

    The folder itself leaves the path: ComfyUI has modules with the names of folders of ours, such as `nodes`.
    """
    name = "appearance_transfer"
    spec = importlib.util.spec_from_file_location(name, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules[name] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules[name])
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]


import_pack()

from appearance_transfer.developer.cli_output import CliError, echo, full_disk  # noqa: E402
from appearance_transfer.developer.comfyui import version  # noqa: E402
from appearance_transfer.developer.installation import current, setup  # noqa: E402
from appearance_transfer.developer.paths import contained_environment, inside_venv, venv_python  # noqa: E402
from appearance_transfer.developer.serve_words import help_text  # noqa: E402

PASSES_ARGUMENTS_ON = ("serve", "test", "bench")
ENDINGS = [signal.SIGTERM, *([signal.SIGHUP] if hasattr(signal, "SIGHUP") else [])]  # the second: the terminal closes


def arguments(words: list[str]) -> argparse.Namespace:
    """The command line, parsed. What follows serve, test and bench is left to ComfyUI, pytest and the benchmark."""
    parser = argparse.ArgumentParser(prog="dev.py", description="Develop and try the appearance-transfer pack.")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")

    make = commands.add_parser("setup", help="make the environment and get a ComfyUI; seconds when all is there")
    which = make.add_mutually_exclusive_group()
    which.add_argument("--comfyui", metavar="PATH", help="use this installed ComfyUI (also: COMFYUI_PATH)")
    which.add_argument("--comfyui-git", metavar="TAG", help="clone this version of the official repository")
    make.add_argument("--torch-index", metavar="URL", help="another package index for torch, e.g. for another CUDA")

    demo = commands.add_parser("demo", help="transfer an appearance; leaves images and demo.json in out/")
    demo.add_argument("--structure", metavar="IMG", help="the image that gives the shape")
    demo.add_argument("--appearance", metavar="IMG", help="the image that gives the look")
    demo.add_argument("--checkpoint", metavar="FILE", help="an SD1.5 checkpoint instead of the pocket one")
    demo.add_argument("--noun", metavar="WORD", help="what your images show, in one word (default: horse)")
    demo.add_argument("--out", metavar="DIR", default=str(ROOT / "out"), help="where the results go (default: out)")

    add_grid(commands)
    add_report(commands)
    commands.add_parser("nodes", help="list our nodes: id, label, category")
    commands.add_parser(
        "generate", help="write what follows from the nodes: workflows, blueprints, docs/nodes.md, the English locale"
    )
    commands.add_parser("serve", help="run ComfyUI with the pack, on port 8188 or the next free; all words go to it")
    commands.add_parser(
        "test",
        help="run the tests: all, a tier (0..5), --real, a folder, or pytest arguments; --frontend VERSION before",
    )
    commands.add_parser("bench", help="measure all into one report (--quick); or run benchmarks/NAME.py (--list)")

    if words[:1] and words[0] in PASSES_ARGUMENTS_ON and words[1:2] not in (["-h"], ["--help"]):
        return argparse.Namespace(command=words[0], rest=words[1:])
    return parser.parse_args(words)


def add_grid(commands: Any) -> None:
    """The options of `grid`."""
    grid = commands.add_parser("grid", help="transfer every appearance of a folder onto every structure of another")
    grid.add_argument("structures", metavar="STRUCTURES", help="the folder of the images that give the shape")
    grid.add_argument("appearances", metavar="APPEARANCES", help="the folder of the images that give the look")
    where = grid.add_mutually_exclusive_group()
    where.add_argument("--workers", metavar="N", type=int, default=1, help="start N ComfyUI servers (default: 1)")
    where.add_argument("--servers", metavar="URL,...", help="use these running ones, which have the pack, instead")
    what = grid.add_mutually_exclusive_group()
    what.add_argument("--workflow", metavar="FILE", help="one that loads structure.png and appearance.png, and saves")
    what.add_argument("--noun", metavar="WORD", help="what your images show, in one word (default: horse)")
    grid.add_argument("--checkpoint", metavar="FILE", help="an SD1.5 checkpoint instead of the pocket one")
    out = str(ROOT / "out" / "grid")
    grid.add_argument("--out", metavar="DIR", default=out, help="where the results go (default: out/grid)")


def add_report(commands: Any) -> None:
    """The options of `report`."""
    about = "transfers between your images at every setting, as one page to look at or to send back"
    report = commands.add_parser("report", help=about, description=about + ": out/report-own/report.html")
    report.add_argument("structures", metavar="STRUCTURES", help="an image that gives the shape, or a folder of them")
    report.add_argument("appearances", metavar="APPEARANCES", help="an image that gives the look, or a folder of them")
    report.add_argument(
        "--checkpoint", metavar="FILE", help="an SD1.5, SD2.x or SDXL checkpoint instead of the pocket one"
    )
    report.add_argument("--noun", metavar="WORD", help="what your images show, in one word (default: horse)")
    report.add_argument(
        "--size", metavar="PIXELS", type=int, help="of a side (default: 512; pocket 256; SDXL wants 1024)"
    )
    out = str(ROOT / "out" / "report-own")
    report.add_argument("--out", metavar="DIR", default=out, help="where the page goes (default: out/report-own)")


def run_again_in_venv(words: list[str]) -> int:
    """Hand over to the same command inside `.venv`."""
    command = [str(venv_python()), str(ROOT / "dev.py"), *words]
    if os.name == "nt":  # there, exec would return to the shell at once
        return subprocess.run(command).returncode
    sys.stdout.flush()
    os.execv(command[0], command)


def main(words: list[str]) -> int:
    if words[:1] == ["serve"] and set(words) & {"-h", "--help"}:
        ready = current()
        echo(help_text(ready.host if ready else None))
        return 0
    options = arguments(words)
    os.environ.update(contained_environment())
    if options.command == "setup":
        ready = setup(options.comfyui, options.comfyui_git, options.torch_index)
        echo(f"Ready: ComfyUI {version(ready.host)} in {ready.host}")
        return 0
    installation = setup()
    if not inside_venv():
        return run_again_in_venv(words)
    from appearance_transfer.developer import commands

    return commands.COMMANDS[options.command](options, installation)


def leave(number: int, _: object) -> None:
    """End in order, so that a ComfyUI that we started is stopped, and let no further signal come between.

    A terminal that closes often says so twice: the system to its processes, and the shell to its jobs.
    """
    for ending in ENDINGS:
        signal.signal(ending, signal.SIG_IGN)
    sys.exit(128 + number)


if __name__ == "__main__":
    for ending in ENDINGS:
        if signal.getsignal(ending) != signal.SIG_IGN:  # nohup has asked to outlive the terminal
            signal.signal(ending, leave)
    try:
        sys.exit(main(sys.argv[1:]))
    except CliError as error:
        sys.exit(f"dev.py: {error}")
    except BrokenPipeError:  # whoever read our lines has seen enough, as `head` has
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        sys.exit(0)
    except OSError as error:
        if (reason := full_disk(error)) is None:
            raise
        sys.exit(f"dev.py: {reason}")
    except KeyboardInterrupt:
        sys.exit(130)
