"""What a run is going to do and what it costs, in one line before its first step, or why it has no effect."""

import logging

from ...attention.recorded_bytes import RecordedBytes, recorded_bytes
from ..runtime.progress_text import format_mib
from .network import NetworkPatch
from .recording_room import images_read
from .reference_session import ReferenceSession

log = logging.getLogger("appearance_transfer")


def tell(run: ReferenceSession, network: NetworkPatch, value: int) -> None:
    """Log the steps that read a reference and what they cost; warn where there are none.

    value: bytes of a number in which the network computes.
    """
    reading = sorted(run.windows.reading)
    if not reading:
        run.warn_once(
            f"{run.method.name} has no effect: its window is {run.settings.window}, and this run of {run.steps} steps "
            f"from sigma {run.sigmas[0]:.2f} to {run.sigmas[-1]:.2f} has none inside. Lower start_percent, raise "
            "end_percent, or run more steps."
        )
        return
    log.info(
        "%s: %d extra evaluations of the model. Executed steps %d-%d of %d, %s; %d read the structure.",
        run.method.name,
        _evaluations(run, reading),
        reading[0],
        reading[-1],
        run.steps,
        network.layer_names(),
        sum(run.is_structural(step) for step in reading),
    )
    recorded = max((_recorded(run, network, step, value) for step in reading), key=lambda step: step.whole)
    log.info(
        "%s: a step records %s in all, at most %s of each of %d images in each of %d blocks.",
        run.method.name,
        format_mib(recorded.whole),
        format_mib(recorded.largest),
        recorded.images,
        recorded.layers,
    )


def tell_forwards(run: ReferenceSession) -> None:
    """After a run: log how many forwards its references took, where forwards held several steps."""
    ahead = run.ahead
    if ahead.is_used:
        log.info(
            "%s: %d evaluations of references in %d forwards, which recorded up to %s at once.",
            run.method.name,
            ahead.evaluations,
            ahead.forwards,
            format_mib(ahead.recorded),
        )


def _evaluations(run: ReferenceSession, reading: list[int]) -> int:
    """Samples through the network for references, where the sampler evaluates once in a step."""
    if run.settings.replayed:
        rows = sum(reference.distinct.images for reference in run.references())
        return run.steps * rows * (1 if run.method.cfg == 1.0 else 2)
    return sum(
        reference.distinct.images * len(run.method.prompts(run.is_structural(step)))
        for step in reading
        for reference in run.reading(step)
    )


def _recorded(run: ReferenceSession, network: NetworkPatch, step: int, value: int) -> RecordedBytes:
    """What a step records of all images and prompts that are run for it."""
    prompts = run.method.prompts(run.is_structural(step))
    return recorded_bytes(images_read(run.reading(step), prompts, network, run.method), value)
