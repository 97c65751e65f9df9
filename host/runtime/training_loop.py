"""Run a training under ComfyUI, which shows it, may interrupt it, and keeps what it has come to."""

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Protocol

import comfy.model_management
import comfy.utils
from torch import Tensor

from ...training.report import Diverged, Report
from .files import OutputFolder
from .previews import preview_of

UNFINISHED = "unfinished"

log = logging.getLogger("appearance_transfer")


class Trainable(Protocol):
    """What is trained: how many steps it has behind it, one more step, and an image [1, 3, H, W] of how it does."""

    steps: int

    def advance(self) -> Report: ...

    def output(self) -> Tensor: ...


@dataclass(frozen=True)
class CheckpointPolicy:
    """Where what an unfinished training has come to is kept, and the nodes that read it and go on from it."""

    folder: OutputFolder
    encode: Callable[[], bytes]
    reader: str
    trainer: str


def run_training(
    training: Trainable, steps: int, preview_every: int, policy: CheckpointPolicy
) -> tuple[list[Report], str]:
    """All steps, or those before the loss was no number, with the reason.

    Where it is interrupted or fails, what it has learned is saved; the log says where. Raises Diverged where not even
    the first step can be taken.
    """
    progress = comfy.utils.ProgressBar(steps)
    reports: list[Report] = []
    with _kept_if_unfinished(training, policy):
        for done in range(steps):
            comfy.model_management.throw_exception_if_processing_interrupted()
            preview = None
            if preview_every and done % preview_every == 0:
                preview = preview_of(training.output())
            try:
                reports.append(training.advance())
            except Diverged as reason:
                if not reports:
                    raise
                log.warning("%s", reason)
                return reports, str(reason)
            progress.update_absolute(done + 1, steps, preview)
    return reports, ""


def in_words(reports: list[Report], seconds: float, stopped: str) -> list[str]:
    """Lines about a training: time per step, first and last losses, and why it ended early, where it did."""
    first, last = reports[0], reports[-1]
    terms = ", ".join(f"{name} {value:.4g}" for name, value in last.terms.items())
    lines = [
        f"{seconds / len(reports):.2f} s per step",
        f"loss {first.loss:.4g} at step {first.step}, {last.loss:.4g} at step {last.step} ({terms})",
    ]
    return [*lines, stopped] if stopped else lines


@contextmanager
def _kept_if_unfinished(training: Trainable, policy: CheckpointPolicy) -> Iterator[None]:
    """Where what is done inside does not come to its end, save the result, if anything has been learned."""
    begun, finished = training.steps, False
    try:
        yield
        finished = True
    finally:
        if not finished and training.steps > begun:
            _keep(training, policy)


def _keep(training: Trainable, policy: CheckpointPolicy) -> None:
    """Save the result, and say where; or why not, so that what ended the training is not hidden by it."""
    noun = policy.folder.kind.noun
    try:
        path = policy.folder.keep(UNFINISHED, policy.encode())
    except (OSError, ValueError) as reason:
        log.warning("The training stopped at step %d, and its %s is lost: %s", training.steps, noun, reason)
        return
    log.warning(
        "The training stopped at step %d. The %s was saved as %s: %s reads it, and %s goes on from it.",
        training.steps,
        noun,
        path,
        policy.reader,
        policy.trainer,
    )
