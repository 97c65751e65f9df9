"""The ComfyUI servers that a grid is shared out to: our own, started for it, or those that a user names."""

import logging
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Protocol

from ..cli_output import CliError
from ..client import Client, GraphError
from ..server import lend_checkpoint, running, temporary_home

log = logging.getLogger("appearance_transfer")

KEPT = ["--cache-lru", "500"]  # results of nodes, so that images of earlier pairs stay inverted
RETURNS_WITHIN = 60.0  # seconds that a server which is not ours gets to come back


class Server(Protocol):
    """A ComfyUI. `start` raises `CliError`; `revive` says whether it can be used again after it did not answer."""

    address: str

    def start(self) -> None: ...
    def stop(self) -> None: ...
    def revive(self) -> bool: ...


class LocalServer:
    """One that is started here, in a home of its own."""

    def __init__(self, comfyui: Path, checkpoint: str | None) -> None:
        self.address = ""
        self._comfyui = comfyui
        self._checkpoint = checkpoint
        self._stack = ExitStack()

    def start(self) -> None:
        home = self._stack.enter_context(temporary_home())
        lend_checkpoint(home, self._checkpoint)
        self.address = self._stack.enter_context(running(self._comfyui, home, options=KEPT))

    def stop(self) -> None:
        self._stack.close()

    def revive(self) -> bool:
        """Start it anew where it no longer answers, with nothing of what it knew."""
        if answers(self.address):
            return True
        log.warning("The ComfyUI at %s stopped; it is started again.", self.address)
        self.stop()
        try:
            self.start()
        except CliError as error:
            log.warning("It did not start again: %s", error)
            return False
        return True


class RemoteServer:
    """One that somebody else runs; nothing of it is changed."""

    def __init__(self, address: str) -> None:
        self.address = address

    def start(self) -> None:
        if not answers(self.address):
            raise CliError(f"No ComfyUI answers at {self.address}.")

    def stop(self) -> None: ...

    def revive(self) -> bool:
        """Wait a while for it to come back."""
        give_up = time.monotonic() + RETURNS_WITHIN
        while not answers(self.address):
            if time.monotonic() > give_up:
                log.warning("The ComfyUI at %s no longer answers; the others go on.", self.address)
                return False
            time.sleep(1)
        return True


@contextmanager
def started(servers: Sequence[Server]) -> Iterator[None]:
    """Start all of them, side by side, and stop them again whatever happens."""
    try:
        with ThreadPoolExecutor(len(servers)) as pool:
            list(pool.map(lambda server: server.start(), servers))
        yield
    finally:
        for server in servers:
            server.stop()


def answers(address: str) -> bool:
    """Does a ComfyUI answer there?"""
    try:
        return "system" in Client(address).get("/system_stats")
    except (GraphError, ValueError):
        return False
