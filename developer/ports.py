"""Ports of this machine on which a ComfyUI may listen."""

import os
import socket
from collections.abc import Sequence

from .cli_output import CliError, echo

USUAL, TRIED, LAST = 8188, 100, 65535  # ComfyUI's own; how many from there on; the highest that there is


def free_port() -> int:
    """Any free port, for a ComfyUI that only we talk to."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def port_to_serve(words: Sequence[str]) -> int:
    """The port that the user's words for ComfyUI ask for; without one 8188, or the next free one, which is said.

    Raises `CliError` where the one asked for is no port, or taken.
    """
    asked = _asked_for(words)
    if asked is None:
        return _next_free(USUAL)
    if not (asked.isascii() and asked.isdigit() and 1 <= int(asked) <= LAST):
        raise CliError(f"--port {asked} is no port: give a number from 1 to {LAST}, or leave --port out.")
    if not _is_free(int(asked)):
        raise CliError(f"Port {asked} is taken by another program: give another one, or leave --port out.")
    return int(asked)


def _asked_for(words: Sequence[str]) -> str | None:
    """What stands after the last --port, as ComfyUI will read it."""
    found = None
    for index, word in enumerate(words):
        if word == "--port":
            found = words[index + 1] if index + 1 < len(words) else ""
        elif word.startswith("--port="):
            found = word.removeprefix("--port=")
    return found


def _next_free(first: int) -> int:
    free = next((port for port in range(first, first + TRIED) if _is_free(port)), None)
    if free is None:
        raise CliError(f"The ports {first} to {first + TRIED - 1} are all taken: give a free one with --port.")
    if free != first:
        echo(f"Port {first} is taken, perhaps by a ComfyUI that runs already; port {free} is used.")
    return free


def _is_free(port: int) -> bool:
    with socket.socket() as listener:
        if os.name != "nt":  # there it would share the port with whoever has it
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)  # a port just closed is free, as for aiohttp
        try:
            listener.bind(("127.0.0.1", port))
        except OSError:
            return False
        return True
