"""One sampling run beside references: where it stands, which of them the step reads, and what they show.

This is what all transfers share. What a reference shows, and what becomes of it, each transfer says for itself.
"""

import logging
from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any, ClassVar

from torch import Tensor

from ...attention.cross_image import union, weight_maps
from ...attention.windows import ATTENTION, STRUCTURE_END, STRUCTURE_SHARE, PercentToSigma, StepWindows, Window
from ...correspondence.correspondence import Correspondence
from ...inversion.schedule import step_at
from ...inversion.types import Inversion
from ..models.unet import DecoderLevels
from ..models.unet_attention import POSITIVE, grid_of, layer_of
from ..runtime.input_fits import check_output_mask
from .references import CachedFeatures, FeatureCache, ModelCall, RecordedReference, ReplayedReference
from .session_checks import check_goes_along, check_number, check_size

log = logging.getLogger("appearance_transfer")


@dataclass(frozen=True)
class Appearance:
    """One image whose look is used.

    weight: its share against others, 0 or more. mask: MASK [B, H, W] of what it paints in the output.
    appearance_mask: MASK [B, H, W] of itself, where matches may lie. correspondence: its matches, found beforehand.
        Only Semantic Rearrangement, which matches position by position, uses these two.
    """

    inversion: Inversion
    weight: float = 1.0
    mask: Tensor | None = None
    appearance_mask: Tensor | None = None
    correspondence: Correspondence | None = None


@dataclass(frozen=True)
class TransferSettings:
    """The parameters that all transfers have.

    window: of the noise schedule, in which the attention reads references. structure_share, structure_end_percent:
        which part of its steps reads the structure instead, and until where.
    structure_everywhere: structure steps edit every position, also where no appearance paints, as the reference
        implementations do. Otherwise they edit where the appearances paint.
    """

    strength: float = 1.0
    window: Window = ATTENTION
    structure_share: float = STRUCTURE_SHARE
    structure_end_percent: float = STRUCTURE_END
    structure_everywhere: bool = False
    replayed: bool = False


@dataclass(frozen=True)
class TransferPlan:
    """What a node was asked to do with its model."""

    appearances: tuple[Appearance, ...]
    structure: Inversion | None
    settings: TransferSettings
    levels: DecoderLevels


class ReferenceSession(ABC):
    """One sampling run: which level is being computed, which references it reads, and their feature banks.

    sigmas: the noise levels of the run. percent_to_sigma: of the model. shape: of the latents to sample. guidance: of
        the text, in the predictions that move replayed references on.
    """

    method: ClassVar[str]  # the node, as people know it

    def __init__(
        self,
        plan: TransferPlan,
        sigmas: list[float],
        percent_to_sigma: PercentToSigma,
        shape: Sequence[int],
        guidance: float = 1.0,
    ):
        settings = plan.settings
        self.settings = settings
        self.levels = plan.levels
        self.batch = shape[0]
        self.size = tuple(shape[-2:])
        self.sigmas = sigmas
        self.steps = len(sigmas) - 1
        self.guidance = guidance
        self.step = -1
        self.caches: list[CachedFeatures] = []
        self._asked: set[tuple[int, int]] = set()
        self._positive: set[Any] = set()
        self._met_at: int | None = None  # the last step at which the positive prompt was the first
        kind = ReplayedReference if settings.replayed else RecordedReference
        self.appearances = [kind(appearance.inversion) for appearance in plan.appearances]
        self.structure = kind(plan.structure) if plan.structure is not None else None
        self.weights = [appearance.weight for appearance in plan.appearances]
        self.masks = [appearance.mask for appearance in plan.appearances]
        self._weight_maps: dict[tuple[tuple[int, ...], bool], Tensor] = {}
        self._warned: set[str] = set()
        self._check(plan, shape)
        self.windows = self._windows(percent_to_sigma)

    @abstractmethod
    def listening(self, cache: FeatureCache, blocks: Collection[int]) -> dict[str, Any]:
        """Patches (entries of transformer_options) that write what a reference shows at these blocks into `cache`."""

    def prompts(self, step: int) -> Sequence[int]:
        """Under which of its prompts a reference is run at an executed step that reads it."""
        return (POSITIVE,)

    def prepare(self, beside: ModelCall) -> None:  # noqa: B027 (most transfers need nothing)
        """What has to be done before the references of a step are run."""

    def masks_at(self, grid: tuple[int, int]) -> Sequence[Tensor | None]:
        """The masks of the appearances, for positions of this token grid."""
        return self.masks

    def is_open(self, sigma: float) -> bool:
        """Whether the step at this noise level reads a reference; if not, a pass without transfer is the same."""
        return self.step_at(sigma) in self.windows.reading

    def step_at(self, sigma: float) -> int:
        """The executed step that an evaluation at `sigma` belongs to."""
        return step_at(self.sigmas[:-1], sigma)

    def is_structural(self, step: int) -> bool:
        """Whether executed step `step` reads the structure instead of the appearances."""
        return self.structure is not None and step in self.windows.structural

    def fill_caches(self, guider: Any, sigma: Tensor, model_options: dict[str, Any], seed: Any) -> None:
        """Run the references this step reads (all of them where they are replayed)."""
        self.step = self.step_at(float(sigma.max()))
        self._asked.clear()
        self._positive = {cond["uuid"] for cond in guider.conds.get("positive", ())}
        beside = ModelCall(guider, sigma, model_options, seed)
        blocks = self.levels.both()
        reading = self.reading(self.step)
        if reading:
            self.prepare(beside)
        for reference in self.references():
            if reference in reading:
                cache: FeatureCache = {}
                reference.run(beside, self.prompts(self.step), self.listening(cache, blocks), self.guidance)
                self.caches.append(CachedFeatures(cache, reference.beside(self.batch)))
            elif reference.evaluates_every_step:
                reference.run(beside, (), {}, self.guidance)

    @contextmanager
    def references_hidden(self) -> Iterator[None]:
        """For an unpatched pass beside the transferred one: within it no layer reads a reference."""
        shown, self.caches = self.caches, []
        try:
            yield
        finally:
            self.caches = shown

    def reads(self, extra: dict[str, Any], tokens: Tensor) -> bool:
        """Whether the decoder layer that these tokens [rows, N, C] are in, now, is one that looks at the references."""
        key = layer_of(extra)
        if not self.caches or key not in self.caches[0].cache:
            return False
        self._asked.add(key)
        return self._knows_tokens(extra, tokens.shape[1]) and self._knows_rows(extra, len(tokens))

    def warn_of_layers_not_asked(self, in_place: bool) -> None:
        """After a step: warn where references showed something in layers that did not ask for it.

        in_place: whether our patches are. Where they are and no layer asked, the network did not run (EasyCache).
        """
        layers = set(self.caches[0].cache) if self.caches else set()
        silent = layers - self._asked
        if silent and not (in_place and silent == layers):
            self.warn_once(
                f"Another node replaces the decoder's self-attention after {self.method}, in {len(silent)} of "
                f"{len(layers)} layers, and there the transfer is off. Put that node first: connect its MODEL to the "
                f"model input of {self.method}."
            )

    def _knows_tokens(self, extra: dict[str, Any], tokens: int) -> bool:
        """Whether the tokens of a layer are those of the whole output, and on structure steps as many as the
        structure's."""
        grid = grid_of(extra)
        whole = tuple(extra["original_shape"][-2:]) == self.size and tokens == grid[0] * grid[1]
        if whole and not (self.is_structural(self.step) and self.caches[0].cache[layer_of(extra)].grid != grid):
            return True
        self.warn_once(
            "A conditioning for an area, or another node, changes the number of tokens of the decoder's "
            "self-attention; there the transfer is off."
        )
        return False

    def _knows_rows(self, extra: dict[str, Any], rows: int) -> bool:
        """Whether the rows of a forward are the whole batch for each prompt, and the first prompt is the positive."""
        prompts = extra["cond_or_uncond"]
        if rows != self.batch * len(prompts):
            self.warn_once("The model is asked about a part of the batch; there the transfer is off.")
            return False
        named = zip(extra.get("uuids", ()), prompts, strict=False)  # who asks the network by himself names none
        first = {uuid for uuid, prompt in named if prompt == POSITIVE}
        if first and self._positive and not first & self._positive:
            if self._met_at != self.step:  # else another node looks at a text of its own (Self-Attention Guidance)
                self.warn_once(
                    "This guider does not count the positive prompt as its first, so the transfer is off: it would "
                    "land in another one. Use CFG Guider, Basic Guider or Appearance Guider."
                )
            return False
        if first:
            self._met_at = self.step
        return True

    def weight_maps_at(self, grid: tuple[int, int]) -> Tensor:
        """[references this step reads, B, N]: how much of each output position each of them paints."""
        structural = self.is_structural(self.step)
        if (grid, structural) not in self._weight_maps:
            weights, masks = self.weights, self.masks_at(grid)
            if structural and self.settings.structure_everywhere:
                weights, masks = [1.0], [None]
            maps = (union if structural else weight_maps)(weights, masks, grid, self.batch)
            self._weight_maps[grid, structural] = maps * self.settings.strength
        return self._weight_maps[grid, structural]

    def latent_of(self, inversion: Inversion, sigma: float) -> Tensor | None:
        """Where a replayed reference stands at `sigma`; None for one that is not replayed in this run."""
        for reference in self.references():
            if reference.inversion is inversion and reference.evaluates_every_step:
                return reference.for_every_image(reference.latent(sigma))
        return None

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

    def _check(self, plan: TransferPlan, shape: Sequence[int]) -> None:
        """Raise before anything expensive where an inversion cannot stand beside this run."""
        for reference in self.references():
            check_number(reference.inversion, shape[0])
            if reference.evaluates_every_step:
                check_goes_along(reference.inversion, self.sigmas)
        if plan.structure is not None:
            check_size(plan.structure, shape)
        for mask in self.masks:
            check_output_mask(mask, shape, "mask of an appearance")

    def references(self) -> list[RecordedReference]:
        return self.appearances + ([self.structure] if self.structure is not None else [])

    def reading(self, step: int) -> list[RecordedReference]:
        """The references that an executed step looks at."""
        if step not in self.windows.reading:
            return []
        return [self.structure] if self.is_structural(step) else self.appearances
