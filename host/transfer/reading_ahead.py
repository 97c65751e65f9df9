"""What references offer at coming steps, captured in one forward with what they offer now.

A reference that is read at its own latents needs nothing of the run: its latent at every noise level is known before
the first step. So a forward may hold several levels of it, as many as fit into memory.
"""

from collections.abc import Callable, Sequence

from .feature_cache import CapturedReference
from .reference_forwards import ReferenceForwards
from .references import RecordedReference


class ReadingAhead:
    """The steps of one run for which the references have been run already.

    forwards, evaluations: of all references so far. is_used: whether any forward held several levels. recorded: the
        most bytes that were recorded for such levels together.
    """

    def __init__(self, sigmas: Sequence[float], reading: Callable[[int], list[RecordedReference]]):
        """sigmas: noise levels of the run. reading: what a step reads; steps that read the same may share a forward."""
        self.sigmas = sigmas
        self.reading = reading
        self.forwards = 0
        self.evaluations = 0
        self.is_used = False
        self.recorded = 0
        self._known: dict[int, list[CapturedReference]] = {}
        self._visited: set[int] = set()

    def visit(self, step: int, sigma: float) -> None:
        """The sampler evaluates at `sigma`, within a step."""
        if sigma == self.sigmas[step]:
            self._visited.add(step)
        self._known = {other: captured for other, captured in self._known.items() if other >= step}

    def at(self, step: int, sigma: float, forwards: ReferenceForwards) -> list[CapturedReference]:
        """What each reference of a step offers at `sigma`."""
        if sigma != self.sigmas[step]:  # an evaluation of the sampler's own, between two levels
            return self._read(step, [sigma], forwards)[0]
        if step not in self._known:
            steps = self._coming(step)
            steps = steps[: forwards.levels_that_fit(self.reading(step), len(steps))]
            captured = self._read(step, [self.sigmas[other] for other in steps], forwards)
            self._known |= dict(zip(steps, captured, strict=True))
        return self._known[step]

    def _read(self, step: int, sigmas: Sequence[float], forwards: ReferenceForwards) -> list[list[CapturedReference]]:
        references = self.reading(step)
        images = sum(reference.distinct.images for reference in references)
        self.is_used |= len(sigmas) > 1
        self.recorded = max(self.recorded, forwards.recorded(references, len(sigmas)))
        self.forwards += len(references)
        self.evaluations += len(sigmas) * images * len(forwards.prompts)
        return forwards.read(references, sigmas)

    def _coming(self, step: int) -> list[int]:
        """This step and those after it that read the same. Only itself where the sampler did not stop at the level
        before: it may choose its levels itself, and what was read ahead would be in vain.
        """
        if step - 1 not in self._visited:
            return [step]
        return [other for other in range(step, len(self.sigmas) - 1) if self.reading(other) == self.reading(step)]
