"""The command itself: what is left to make, who makes it, and what is told at the end."""

import argparse
import re
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path

from ..checkpoint_files import check_checkpoint
from ..cli_output import CliError, echo, step, writing
from ..client import Client
from ..image_files import what_is_wrong
from ..installation import Installation
from ..pocket_advice import advise, uses_pocket_checkpoint
from ..progress_line import ProgressLine
from .cluster import workers
from .manifest import Manifest
from .overview import write_overview
from .pairs import GridImage, GridPair, every_pair, images_in
from .scheduler import WorkerSlot, run_all
from .servers import LocalServer, RemoteServer, Server, started
from .worker import JobResult
from .workflow import asked_for, check_roles, digest, job, queueable

ADDRESS = r"https?://[^\s/:]+(:\d+)?(/\S*)?"


def run(options: argparse.Namespace, installation: Installation) -> int:
    """Make every pair that is not made yet; 1 where some failed."""
    structures, appearances = images_in(options.structures), images_in(options.appearances)
    pairs = every_pair(structures, appearances)
    for images in (structures, appearances):
        tell_unreadable(images)
    workflow = asked_for(options)
    check_roles(workflow)
    with writing(Path(options.out)):
        Path(options.out).mkdir(parents=True, exist_ok=True)
    manifest = Manifest(Path(options.out), digest(workflow))
    missing = manifest.unfinished(pairs)
    servers = chosen_servers(options, installation)
    if missing:
        echo(f"{len(pairs)} pairs, {len(missing)} of them to make.")
        if uses_pocket_checkpoint(workflow):
            advise(sorted({image.path for pair in missing for image in (pair.structure, pair.appearance)}))
        make(missing, workflow, servers[: len(missing)], manifest, len(pairs))
        results = [next(iter(manifest.files(pair)), None) for pair in pairs]
        with writing(Path(options.out) / "grid.png"):
            write_overview(Path(options.out) / "grid.png", structures, appearances, results)
    failed = manifest.failed(pairs)
    for name, failure in failed.items():
        echo(f"{name} failed: {failure}")
    echo(f"{len(pairs) - len(failed)} of {len(pairs)} pairs are in {options.out}.")
    return 1 if failed else 0


def tell_unreadable(images: Sequence[GridImage]) -> None:
    """Say which files are no images; the others go on without them. Raises `CliError` where none is one."""
    errors = [error for image in images if (error := what_is_wrong(image.path))]
    if len(errors) == len(images):
        raise CliError(errors[0])
    for error in errors:
        echo(error)


def chosen_servers(options: argparse.Namespace, installation: Installation) -> list[Server]:
    """Those that the user names, or as many of our own as there shall be workers."""
    if options.servers is not None:
        addresses = [address.strip().rstrip("/") for address in options.servers.split(",")]
        if wrong := [address for address in addresses if not re.fullmatch(ADDRESS, address)]:
            raise CliError(f"--servers: {wrong[0]!r} is no address of a ComfyUI: give one like http://127.0.0.1:8188.")
        return [RemoteServer(address) for address in addresses]
    if options.workers < 1:
        raise CliError("--workers must be 1 or more.")
    if options.checkpoint:
        check_checkpoint(options.checkpoint)
    return [LocalServer(installation.host, options.checkpoint) for _ in range(options.workers)]


def make(pairs: list[GridPair], workflow: dict, servers: list[Server], manifest: Manifest, of: int) -> None:
    """Have the pairs made and recorded, and say which of all `of` are there."""
    with ExitStack() as stack:
        with step(f"Starting {len(servers)} ComfyUI and as many workers"):
            stack.enter_context(started(servers))
            submits = stack.enter_context(workers(len(servers)))
        graph = queueable(workflow, Client(servers[0].address).get("/object_info"))
        desks = [WorkerSlot(server, submit) for server, submit in zip(servers, submits, strict=True)]
        with ProgressLine() as line:
            finished = of - len(pairs)

            def done(pair: GridPair, answer: JobResult) -> None:
                nonlocal finished
                manifest.record(pair, answer)
                finished += 1
                state = "failed" if answer.failure else f"{answer.seconds:.0f} s"
                line.report(f"{finished} of {of}: {pair.name}, {state}")

            line.show(f"{finished} of {of} pairs ...")
            run_all(pairs, desks, lambda pair: job(graph, pair), done)
