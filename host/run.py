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

from ..attention.cross_image import shares, union
from ..attention.windows import LEVEL_1, LEVEL_2, Window, reads_structure
from ..correspondence.correspondence import Correspondence
from ..inversion.record import Inversion
from ..inversion.schedule import SAME_LEVEL, level_at
from .families import DecoderLevels
from .input_fits import check_output_mask
from .references import Evaluation, FeatureBank, RecordedReference, ReplayedReference, Shown
from .self_attention import POSITIVE, layer_of
from .telling import mebibytes

log = logging.getLogger("appearance_transfer")


@dataclass(frozen=True)
class Appearance:
    """One picture whose look is used.

    weight: its share against others, 0 or more. mask: MASK [B, H, W] of what it paints in the output.
    appearance_mask: MASK [B, H, W] of itself, where matches may lie. correspondence: its matches, found beforehand.
        Only Semantic Rearrangement, which matches place by place, uses these two.
    """

    inversion: Inversion
    weight: float = 1.0
    mask: Tensor | None = None
    appearance_mask: Tensor | None = None
    correspondence: Correspondence | None = None


@dataclass(frozen=True)
class RunSettings:
    """The dials that all transfers have; steps are executed steps.

    structure_everywhere: structure steps edit every place, also where no appearance paints, as the reference
        implementations do. Otherwise they edit where the appearances paint.
    """

    strength: float = 1.0
    fine: Window = LEVEL_1
    coarse: Window = LEVEL_2
    structure_every: int = 5
    structure_until: int = 40
    structure_everywhere: bool = False
    replayed: bool = False

    @property
    def first(self) -> int:
        return min(self.fine.first, self.coarse.first)


@dataclass(frozen=True)
class Plan:
    """What a node was asked to do with its model."""

    appearances: tuple[Appearance, ...]
    structure: Inversion | None
    settings: RunSettings
    levels: DecoderLevels


class Run(ABC):
    """One sampling run: which level is being computed, which references it reads, and their feature banks.

    shape: of the latents to sample. guidance: of the text, in the predictions that move replayed references on.
    """

    method: ClassVar[str]  # the node, as people know it

    def __init__(self, plan: Plan, sigmas: list[float], shape: Sequence[int], guidance: float = 1.0):
        settings = plan.settings
        self.settings = settings
        self.levels = plan.levels
        self.windows = {plan.levels.fine: settings.fine, plan.levels.coarse: settings.coarse}
        self.batch = shape[0]
        self.sigmas = sigmas
        self.steps = len(sigmas) - 1
        self.guidance = guidance
        self.step = -1
        self.banks: list[Shown] = []
        self._positive: set[Any] = set()
        self._met_at: int | None = None  # the last step at which the positive prompt was the first
        kind = ReplayedReference if settings.replayed else RecordedReference
        self.appearances = [kind(appearance.inversion) for appearance in plan.appearances]
        self.structure = kind(plan.structure) if plan.structure is not None else None
        self.weights = [appearance.weight for appearance in plan.appearances]
        self.masks = [appearance.mask for appearance in plan.appearances]
        self._shares: dict[tuple[tuple[int, ...], bool], Tensor] = {}
        self._warned: set[str] = set()
        for reference in self._references():
            check_fits(reference.inversion, sigmas, shape)
        for mask in self.masks:
            check_output_mask(mask, shape, "mask of an appearance")
        self._say_what_will_happen(shape[-2] * shape[-1])

    @abstractmethod
    def listening(self, bank: FeatureBank, blocks: Collection[int]) -> dict[str, Any]:
        """Patches (entries of transformer_options) that write what a reference shows at these blocks into `bank`."""

    def prompts(self, step: int) -> Sequence[int]:
        """Under which of its prompts a reference is run at an executed step that reads it."""
        return (POSITIVE,)

    def prepare(self, beside: Evaluation) -> None:  # noqa: B027 (most transfers need nothing)
        """What has to be done before the references of a step are run."""

    def masks_at(self, grid: tuple[int, int]) -> Sequence[Tensor | None]:
        """The masks of the appearances, for places of this token grid."""
        return self.masks

    def open_levels(self, step: int) -> list[int]:
        """The decoder levels that look at references at executed step `step`."""
        return [level for level, window in self.windows.items() if window.contains(step)]

    def is_open(self, sigma: float) -> bool:
        """Whether the step at this noise level reads a reference; if not, a pass without transfer is the same."""
        step = self.step_at(sigma)
        return step is not None and bool(self.open_levels(step))

    def step_at(self, sigma: float) -> int | None:
        """The executed step that starts at `sigma`; None between levels, and at the picture's own."""
        return level_at(self.sigmas[:-1], sigma)

    def is_structural(self, step: int) -> bool:
        """Whether executed step `step` reads the structure instead of the appearances."""
        settings = self.settings
        return self.structure is not None and reads_structure(
            step, settings.first, settings.structure_every, settings.structure_until
        )

    def fill_banks(self, guider: Any, sigma: Tensor, model_options: dict[str, Any], seed: Any) -> None:
        """Run the references this step reads (all of them where they are replayed)."""
        found = self.step_at(float(sigma.max()))
        self.step = -1 if found is None else found
        if found is None:
            self.warn_once(
                "This sampler evaluates between the recorded noise levels; those evaluations are not transferred."
            )
            return
        self._positive = {cond["uuid"] for cond in guider.conds.get("positive", ())}
        beside = Evaluation(guider, sigma, found, model_options, seed)
        blocks = [block for level in self.open_levels(found) for block in self.levels.blocks_at(level)]
        reading = self._reading(found)
        if reading:
            self.prepare(beside)
        for reference in self._references():
            if reference in reading:
                bank: FeatureBank = {}
                reference.run(beside, self.prompts(found), self.listening(bank, blocks), self.guidance)
                self.banks.append(Shown(bank, reference.beside(self.batch)))
            elif reference.evaluates_every_step:
                reference.run(beside, (), {}, self.guidance)

    @contextmanager
    def references_hidden(self) -> Iterator[None]:
        """For an unpatched pass beside the transferred one: within it no layer reads a reference."""
        shown, self.banks = self.banks, []
        try:
            yield
        finally:
            self.banks = shown

    def reads(self, extra: dict[str, Any], tokens: Tensor) -> bool:
        """Whether the decoder layer that these tokens [rows, N, C] are in, now, is one that looks at the references."""
        key = layer_of(extra)
        if not self.banks or key not in self.banks[0].bank:
            return False
        height, width = extra["activations_shape"][-2:]
        offered = next(iter(self.banks[0].bank[key].values()))
        if not tokens.shape[1] == height * width == offered.shape[-2]:
            self.warn_once(
                "A conditioning for an area, or another node, changes the number of tokens of the decoder's "
                "self-attention; there the transfer is off."
            )
            return False
        return self._knows_rows(extra, len(tokens))

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

    def shares_at(self, grid: tuple[int, int]) -> Tensor:
        """[references this step reads, B, N]: how much of each output place each of them paints."""
        structural = self.is_structural(self.step)
        if (grid, structural) not in self._shares:
            weights, masks = self.weights, self.masks_at(grid)
            if structural and self.settings.structure_everywhere:
                weights, masks = [1.0], [None]
            maps = (union if structural else shares)(weights, masks, grid, self.batch)
            self._shares[grid, structural] = maps * self.settings.strength
        return self._shares[grid, structural]

    def latent_of(self, inversion: Inversion, level: int) -> Tensor | None:
        """Where a replayed reference stands at `level`; None for one that is not replayed in this run."""
        for reference in self._references():
            if reference.inversion is inversion and reference.evaluates_every_step:
                return reference.for_every_picture(reference.latent(level))
        return None

    def warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            log.warning(sentence)

    def _references(self) -> list[RecordedReference]:
        return self.appearances + ([self.structure] if self.structure is not None else [])

    def _reading(self, step: int) -> list[RecordedReference]:
        """The references that an executed step looks at."""
        if not self.open_levels(step):
            return []
        return [self.structure] if self.is_structural(step) else self.appearances

    def _say_what_will_happen(self, places: int) -> None:
        """One line that explains the run and what it costs, and a warning where it can have no effect.

        places: of the latent to sample, h*w.
        """
        reading = [step for step in range(self.steps) if self.open_levels(step)]
        if not reading:
            self.warn_once(
                f"{self.method} has no effect: its windows open at executed step {self.settings.first} and "
                f"this run has {self.steps} steps. Lower the first steps or run more steps."
            )
            return
        if self.settings.replayed:
            rows = sum(reference.distinct.pictures for reference in self._references())
            evaluations = self.steps * rows * (1 if self.guidance == 1.0 else 2)
        else:
            evaluations = sum(self._rows_read(step) for step in reading)
        shown = max(self._rows_read(step) * self._values_shown(step, places) for step in reading)
        log.info(
            "%s: %d extra U-Net evaluations, about %s. Executed steps %d-%d of %d, levels %s; %d read the structure.",
            self.method,
            evaluations,
            mebibytes(shown),
            reading[0],
            reading[-1],
            self.steps,
            ", ".join(f"/{level}" for level in self.windows),
            sum(self.is_structural(step) for step in reading),
        )

    def _rows_read(self, step: int) -> int:
        """How many samples go through the network for the references that an executed step looks at."""
        return sum(reference.distinct.pictures for reference in self._reading(step)) * len(self.prompts(step))

    def _values_shown(self, step: int, places: int) -> int:
        """About how many numbers one such sample shows: a key and a value per channel and place."""
        return sum(
            2 * self.levels.channels[block] * places // level**2
            for level in self.open_levels(step)
            for block in self.levels.blocks_at(level)
        )


def check_fits(inversion: Inversion, sigmas: Sequence[float], shape: Sequence[int]) -> None:
    """Raise before anything expensive if an inversion cannot stand beside this run, place by place."""
    if tuple(shape[-2:]) != tuple(inversion.size):
        raise ValueError(
            f"The latent to sample is {shape[-1]}x{shape[-2]} and an inversion is {inversion.extent} (latent pixels). "
            "Resize the pictures to one size before VAE Encode."
        )
    check_goes_along(inversion, sigmas, shape[0])


def check_goes_along(inversion: Inversion, sigmas: Sequence[float], outputs: int) -> None:
    """Raise before anything expensive if an inversion has other noise levels than this run, or too many pictures."""
    if outputs % inversion.pictures:
        raise ValueError(
            f"An inversion holds {inversion.pictures} pictures and the batch to sample {outputs}: "
            "use one reference picture for all outputs, or as many as there are outputs."
        )
    recorded = inversion.schedule.sigmas
    run = sigmas[:-1]
    if len(run) != len(recorded) - 1 or any(abs(a - b) > SAME_LEVEL * b for a, b in zip(run, recorded, strict=False)):
        raise ValueError(
            f"The run has {len(run)} steps from sigma {run[0] if run else 0:.3f}, the inversion was recorded for "
            f"{len(recorded) - 1} steps from sigma {recorded[0]:.3f}. Invert all pictures with the same steps and "
            "start_at. Use the SIGMAS of Resume from Inversion, or invert with the SIGMAS of this sampler."
        )
