"""The command itself: what is left to make, who makes it, and what is told at the end."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from ..cli_output import CliError, echo, step, writing
from ..client import Client
from ..installation import Installation
from ..pocket_advice import advise, uses_pocket_checkpoint
from .cluster import workers
from .manifest import Manifest
from .overview import write_overview
from .pairs import GridPair, every_pair, images_in
from .scheduler import WorkerSlot, run_all
from .servers import LocalServer, RemoteServer, Server, started
from .worker import JobResult
from .workflow import asked_for, digest, job, queueable


def run(options: argparse.Namespace, installation: Installation) -> int:
    """Make every pair that is not made yet; 1 where some failed."""
    structures, appearances = images_in(options.structures), images_in(options.appearances)
    pairs = every_pair(structures, appearances)
    workflow = asked_for(options)
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


def chosen_servers(options: argparse.Namespace, installation: Installation) -> list[Server]:
    """Those that the user names, or as many of our own as there shall be workers."""
    if options.servers:
        return [RemoteServer(address.strip().rstrip("/")) for address in options.servers.split(",")]
    if options.workers < 1:
        raise CliError("--workers must be 1 or more.")
    if options.checkpoint and not Path(options.checkpoint).is_file():
        raise CliError(f"There is no checkpoint {options.checkpoint}.")
    return [LocalServer(installation.host, options.checkpoint) for _ in range(options.workers)]


def make(pairs: list[GridPair], workflow: dict, servers: list[Server], manifest: Manifest, of: int) -> None:
    """Have the pairs made and recorded, under a progress bar for all `of` them."""
    with ExitStack() as stack:
        with step(f"Starting {len(servers)} ComfyUI and as many workers"):
            stack.enter_context(started(servers))
            submits = stack.enter_context(workers(len(servers)))
        graph = queueable(workflow, Client(servers[0].address).get("/object_info"))
        desks = [WorkerSlot(server, submit) for server, submit in zip(servers, submits, strict=True)]
        with tqdm(total=of, initial=of - len(pairs), unit="pair") as bar:

            def done(pair: GridPair, answer: JobResult) -> None:
                manifest.record(pair, answer)
                bar.set_postfix_str(pair.name, refresh=False)
                bar.update()

            run_all(pairs, desks, lambda pair: job(graph, pair), done)
