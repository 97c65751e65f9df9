"""What a run is going to do and what it costs, in one line before its first step, or why it has no effect."""

import logging

from ..runtime.progress_text import format_mib
from .reference_session import ReferenceSession

log = logging.getLogger("appearance_transfer")


def tell(run: ReferenceSession) -> None:
    """Log the steps that read a reference and the evaluations that they cost; warn where there are none."""
    reading = sorted(run.windows.reading)
    if not reading:
        run.warn_once(
            f"{run.method} has no effect: its window is {run.settings.window}, and this run of {run.steps} steps from "
            f"sigma {run.sigmas[0]:.2f} to {run.sigmas[-1]:.2f} has none inside. Lower start_percent, raise "
            "end_percent, or run more steps."
        )
        return
    log.info(
        "%s: %d extra U-Net evaluations, about %s. Executed steps %d-%d of %d, levels %s; %d read the structure.",
        run.method,
        _evaluations(run, reading),
        format_mib(max(_values_shown(run, step) for step in reading)),
        reading[0],
        reading[-1],
        run.steps,
        f"/{run.levels.fine}, /{run.levels.coarse}",
        sum(run.is_structural(step) for step in reading),
    )


def _evaluations(run: ReferenceSession, reading: list[int]) -> int:
    """Samples through the network for references, where the sampler evaluates once in a step."""
    if run.settings.replayed:
        rows = sum(reference.distinct.images for reference in run.references())
        return run.steps * rows * (1 if run.guidance == 1.0 else 2)
    rows_of = (sum(reference.distinct.images for reference in run.reading(step)) for step in reading)
    return sum(rows * len(run.prompts(step)) for rows, step in zip(rows_of, reading, strict=True))


def _values_shown(run: ReferenceSession, step: int) -> int:
    """About how many numbers the references of a step show: a key and a value per channel and position."""
    positions = 0
    for reference in run.reading(step):
        height, width = reference.inversion.size
        positions += height * width * reference.distinct.images * len(run.prompts(step))
    return sum(
        2 * run.levels.channels[block] * positions // level**2
        for level in (run.levels.fine, run.levels.coarse)
        for block in run.levels.blocks_at(level)
    )
