"""What a person at the terminal sees: steps with their time, and trouble said in one sentence."""

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager


class Trouble(Exception):
    """An expected failure. Its text is the whole message; no traceback is shown."""


def say(text: str) -> None:
    """One line to the terminal, at once (also when the output is a pipe)."""
    print(text, flush=True)


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announces a step that may take a while, and says how long it took when it has succeeded."""
    say(f"{text} ...")
    started = time.monotonic()
    yield
    say(f"{text}: done in {time.monotonic() - started:.1f} s")


def is_terminal() -> bool:
    """May a line be redrawn, as a progress bar does?"""
    return sys.stderr.isatty()
