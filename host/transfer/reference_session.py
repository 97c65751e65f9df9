"""One sampling run beside references: where it stands, which of them the step reads, and what they offer.

It knows neither the method nor the network: both are given to it.
"""

import logging
from collections.abc import Sequence
from contextlib import AbstractContextManager

from torch import Tensor

from ...attention.cross_image import NEGLIGIBLE
from ...attention.windows import PercentToSigma, StepWindows
from ...inversion.schedule import step_at
from ...inversion.types import Inversion
from ..models.attention_layer import AttentionLayer
from .feature_cache import FeatureCache
from .method import LayerReference, TransferMethod
from .network import NetworkPatch
from .plan import TransferPlan
from .reading_ahead import ReadingAhead
from .recording_room import RecordingRoom
from .reference_forwards import ReferenceForwards
from .references import ModelCall, RecordedReference, ReplayedReference
from .row_checks import RowChecks
from .session_checks import check_run
from .weight_maps import WeightMaps

log = logging.getLogger("appearance_transfer")


class ReferenceSession:
    """Drives the references of one run and keeps what they offer; dropped when the run ends."""

    def __init__(
        self,
        plan: TransferPlan,
        method: TransferMethod,
        sigmas: list[float],
        percent_to_sigma: PercentToSigma,
        shape: Sequence[int],
    ):
        """sigmas: the noise levels of the run. percent_to_sigma: of the model. shape: of the latents, [B, C, h, w].

        Raises ValueError, before anything expensive, where an image cannot stand beside this run.
        """
        self.settings = plan.settings
        self.method = method
        self.sigmas = sigmas
        self.steps = len(sigmas) - 1
        self.step = -1
        self.batch = shape[0]
        self.cache = FeatureCache()
        kind = ReplayedReference if plan.settings.replayed else RecordedReference
        self.appearances = [kind(appearance.inversion) for appearance in plan.appearances]
        self.structure = kind(plan.structure) if plan.structure is not None else None
        check_run(plan, sigmas, shape)
        self.windows = self._windows(percent_to_sigma)
        self.ahead = ReadingAhead(sigmas, self.reading)
        self._shape = shape
        self._room = RecordingRoom(method.name)
        self._maps = WeightMaps(plan, self.batch, method.masks_at)
        self._rows = RowChecks(self.batch, tuple(shape[-2:]), self.warn_once)
        self._warned: set[str] = set()

    # ---- where it stands

    def step_at(self, sigma: float) -> int:
        """The executed step that an evaluation at `sigma` belongs to."""
        return step_at(self.sigmas[:-1], sigma)

    def is_open(self, sigma: float) -> bool:
        """Whether the step at this noise level reads a reference; if not, a pass without transfer is the same."""
        return self.step_at(sigma) in self.windows.reading

    def is_structural(self, step: int) -> bool:
        """Whether executed step `step` reads the structure instead of the appearances."""
        return self.structure is not None and step in self.windows.structural

    @property
    def reads_structure(self) -> bool:
        """Whether the current step reads the structure instead of the appearances."""
        return self.is_structural(self.step)

    @property
    def progress(self) -> float:
        """How far the run is at the current step: 0 at its first, 1 at its last."""
        return self.step / (self.steps - 1) if self.steps > 1 else 0.0

    # ---- the references

    def references(self) -> list[RecordedReference]:
        return self.appearances + ([self.structure] if self.structure is not None else [])

    def reading(self, step: int) -> list[RecordedReference]:
        """The references that an executed step looks at."""
        if step not in self.windows.reading:
            return []
        return [self.structure] if self.is_structural(step) else self.appearances

    def fill_cache(self, call: ModelCall, network: NetworkPatch) -> None:
        """Run the references this step reads (all of them where they are replayed)."""
        sigma = float(call.sigma.max())
        self.step = self.step_at(sigma)
        self._rows.begin_step(self.step, call.guider.conds)
        self.ahead.visit(self.step, sigma)
        reading = self.reading(self.step)
        if reading:
            self.method.prepare(call, self.structure, self.appearances, self.reads_structure)
        prompts = self.method.prompts(self.reads_structure)
        forwards = ReferenceForwards(self.method, network, call, prompts, self._shape, self._room)
        if self.settings.replayed:
            self.cache.fill(forwards.replay(self.references(), reading))
        elif reading:
            self.cache.fill(self.ahead.at(self.step, sigma, forwards))

    def references_hidden(self) -> AbstractContextManager[None]:
        """For an unpatched pass beside the transferred one: within it no layer reads a reference."""
        return self.cache.hidden()

    def latent_of(self, inversion: Inversion, sigma: float) -> Tensor | None:
        """Where a replayed reference stands at `sigma`; None for one that is not replayed in this run."""
        for reference in self.references() if self.settings.replayed else ():
            if reference.inversion is inversion:
                return reference.for_every_image(reference.latent(sigma))
        return None

    # ---- the layers

    def reads(self, layer: AttentionLayer) -> bool:
        """Whether a layer that is being computed, now, is one that looks at the references."""
        if not self.cache.has_features_for(layer.key):
            return False
        return self._rows.fit(layer, self.cache.grid_at(layer.key) if self.reads_structure else None)

    def references_at(self, layer: AttentionLayer) -> list[LayerReference]:
        """What the references of this step give to a layer that reads them."""
        weights = self._maps.at(layer.grid, self.reads_structure)
        cached = self.cache.at(layer.key)
        return [
            LayerReference(features.grid, features.tensors, images, weight)
            for (features, images), weight in zip(cached, weights, strict=True)
        ]

    def keeps_some(self, layer: AttentionLayer) -> bool:
        """Whether the references leave some position a part of its own attention."""
        return not bool((self._maps.at(layer.grid, self.reads_structure).sum(0) > 1 - NEGLIGIBLE).all())

    # ---- messages

    def warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            log.warning(sentence)

    def _windows(self, percent_to_sigma: PercentToSigma) -> StepWindows:
        """Which steps read what. A part of a run along a reference's levels (SplitSigmas) reads what the whole
        reads.
        """
        settings = self.settings
        limits = settings.window, settings.structure_share, settings.structure_end_percent
        wholes = [reference.inversion.schedule for reference in self.references()]
        for whole in sorted(wholes, key=lambda schedule: schedule.steps):
            first = whole.first_step_of(self.sigmas)
            if first is not None:
                return StepWindows.of(whole.sigmas, percent_to_sigma, *limits).part(first, self.steps)
        return StepWindows.of(self.sigmas, percent_to_sigma, *limits)
