"""What a user at the terminal sees: steps with their time, and trouble said in one sentence."""

import errno
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class CliError(Exception):
    """An expected failure. Its text is the whole message; no traceback is shown."""


def echo(text: str) -> None:
    """One line to the terminal, at once (also when the output is a pipe)."""
    print(text, flush=True)


@contextmanager
def writing(file: Path) -> Iterator[None]:
    """A full disk, or a folder where nothing may be written, is an error that names the file."""
    try:
        yield
    except OSError as error:
        reason = _of_the_system(error)
        raise CliError(f"{file} cannot be written: {reason.strerror or reason}.") from None


def full_disk(error: OSError) -> str | None:
    """One sentence where the disk, or what of it is allowed, is used up; None for any other error."""
    error = _of_the_system(error)
    if error.errno not in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return None
    file = f" ({error.filename})" if error.filename else ""
    return f"{os.strerror(error.errno)}{file}: free some space, then run the same command again."


def _of_the_system(error: OSError) -> OSError:
    """What the system said where the pack has made a sentence of it for a user in ComfyUI."""
    cause = error.__cause__
    return cause if error.errno is None and isinstance(cause, OSError) else error


@contextmanager
def step(text: str) -> Iterator[None]:
    """Announces a step that may take a while, and says how long it took when it has succeeded."""
    echo(f"{text} ...")
    started = time.monotonic()
    yield
    echo(f"{text}: done in {time.monotonic() - started:.1f} s")
