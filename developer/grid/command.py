"""The command itself: what is left to make, who makes it, and what is told at the end."""

import argparse
from contextlib import ExitStack
from pathlib import Path

from tqdm import tqdm

from ..client import Client
from ..console import Trouble, say, step, writing
from ..installation import Installation
from ..pocket_advice import advise, uses_pocket_checkpoint
from .cluster import workers
from .manifest import Manifest
from .overview import write_overview
from .pairs import Pair, every_pair, pictures_in
from .servers import GivenServer, OwnServer, Server, started
from .sharing import Desk, share_out
from .worker import Answer
from .workflow import asked_for, digest, job, queueable


def run(options: argparse.Namespace, installation: Installation) -> int:
    """Make every pair that is not made yet; 1 where some failed."""
    structures, appearances = pictures_in(options.structures), pictures_in(options.appearances)
    pairs = every_pair(structures, appearances)
    workflow = asked_for(options)
    manifest = Manifest(Path(options.out), digest(workflow))
    missing = manifest.unfinished(pairs)
    servers = chosen_servers(options, installation)
    if missing:
        say(f"{len(pairs)} pairs, {len(missing)} of them to make.")
        if uses_pocket_checkpoint(workflow):
            advise(sorted({picture.path for pair in missing for picture in (pair.structure, pair.appearance)}))
        make(missing, workflow, servers[: len(missing)], manifest, len(pairs))
        results = [next(iter(manifest.files(pair)), None) for pair in pairs]
        with writing(Path(options.out) / "grid.png"):
            write_overview(Path(options.out) / "grid.png", structures, appearances, results)
    failed = manifest.failed(pairs)
    for name, told in failed.items():
        say(f"{name} failed: {told}")
    say(f"{len(pairs) - len(failed)} of {len(pairs)} pairs are in {options.out}.")
    return 1 if failed else 0


def chosen_servers(options: argparse.Namespace, installation: Installation) -> list[Server]:
    """Those that the person names, or as many of our own as there shall be workers."""
    if options.servers:
        return [GivenServer(address.strip().rstrip("/")) for address in options.servers.split(",")]
    if options.workers < 1:
        raise Trouble("--workers must be 1 or more.")
    if options.checkpoint and not Path(options.checkpoint).is_file():
        raise Trouble(f"There is no checkpoint {options.checkpoint}.")
    return [OwnServer(installation.host, options.checkpoint) for _ in range(options.workers)]


def make(pairs: list[Pair], workflow: dict, servers: list[Server], manifest: Manifest, of: int) -> None:
    """Have the pairs made and recorded, under a progress bar for all `of` them."""
    with ExitStack() as stack:
        with step(f"Starting {len(servers)} ComfyUI and as many workers"):
            stack.enter_context(started(servers))
            submits = stack.enter_context(workers(len(servers)))
        graph = queueable(workflow, Client(servers[0].address).get("/object_info"))
        desks = [Desk(server, submit) for server, submit in zip(servers, submits, strict=True)]
        with tqdm(total=of, initial=of - len(pairs), unit="pair") as bar:

            def done(pair: Pair, answer: Answer) -> None:
                manifest.record(pair, answer)
                bar.set_postfix_str(pair.name, refresh=False)
                bar.update()

            share_out(pairs, desks, lambda pair: job(graph, pair), done)
