"""Interrupts at random moments of a transfer: answered soon, nothing left behind, the next run as if none had been."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Iterator

import psutil

from ...developer.client import Client, GraphError
from .left_behind import left_behind
from .part import Result, Setting
from .served import census, digest, served, transfer

WITHIN = 2.0
"""Seconds from the interrupt to the end of the run, on the clock or, where the machine is busy, of the server's own."""

COMPARED_EVERY = 5  # interrupts between two looks at what was left and at the pixels


def interrupts(setting: Setting) -> Iterator[Result]:
    """The part of the benchmark."""
    with served(setting.comfyui, setting.home) as client:
        yield from try_interrupts(client, setting.draw, setting.count)


def try_interrupts(client: Client, draw: random.Random, count: int) -> Iterator[Result]:
    """`count` interrupts, each at its own moment of a run that is no other's."""
    before = digest(client, transfer())
    since = time.monotonic()
    digest(client, transfer())
    takes = time.monotonic() - since
    counted = census(client)
    interrupted = 0
    while interrupted < count:
        delay, strength = draw.uniform(0, takes), draw.uniform(0.1, 1.0)
        waited = _interrupted(client, psutil.Process(counted["process"]), delay, strength)
        if waited is None:  # it had ended by then
            takes *= 0.9
            continue
        interrupted += 1
        late = waited > WITHIN
        yield Result("answered within 2 s", f"after {delay:.2f} s of a run: {waited:.1f} s" if late else "")
        if interrupted % COMPARED_EVERY == 0 or interrupted == count:
            same = digest(client, transfer()) == before
            yield Result("same pixels afterwards", "" if same else f"other pixels after interrupt {interrupted}")
            yield from left_behind(counted, census(client), f"interrupt {interrupted}")


def _interrupted(client: Client, server: psutil.Process, delay: float, strength: float) -> float | None:
    """Seconds from the interrupt to the end of the run, see WITHIN; None where the run was faster."""
    asked: list[tuple[float, float]] = []

    def interrupt() -> None:
        asked.append((time.monotonic(), _computed(server)))
        client.interrupt()

    timer = threading.Timer(delay, interrupt)
    started = threading.Event()

    def begin(kind: str, data: dict) -> None:
        if kind == "executing" and not started.is_set():
            started.set()
            timer.start()

    try:
        client.queue(transfer(strength), begin)
    except GraphError as error:
        if error.kind != "interrupted":
            raise
        ended = time.monotonic(), _computed(server)
        return min(after - before for before, after in zip(asked[0], ended, strict=True))
    finally:
        timer.cancel()
        if started.is_set():
            timer.join()
    if asked:  # just after the end: it must not meet the next run
        time.sleep(0.2)
    return None


def _computed(server: psutil.Process) -> float:
    """Seconds of processor time that the server has used."""
    times = server.cpu_times()
    return times.user + times.system
