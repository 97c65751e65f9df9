"""Cross-image attention as an ordinary patch of a MODEL clone.

Two hooks carry it. A wrapper around `predict_noise` runs the references of the current step and fills the feature
bank; a replacement of the decoder's self-attention lets the positive rows look at that bank. Everything a run needs
lives in one `Run`, made when sampling starts and dropped when it ends, however it ends.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.patcher_extension
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..attention.cross_image import NEGLIGIBLE, cross_image_attention, shares
from ..attention.windows import LEVEL_1, LEVEL_2, Window, reads_structure
from ..inversion.record import Inversion
from .families import DecoderLevels, decoder_levels
from .fingerprint import same_model
from .references import FeatureBank, RecordedReference, ReplayedReference
from .self_attention import join_heads, layer_of, plain_attention, split_heads, split_rows

log = logging.getLogger("appearance_transfer")

KEY = "appearance_transfer"
SAME_LEVEL = 1e-3  # relative distance of two sigmas that count as one level


@dataclass(frozen=True)
class Appearance:
    """One picture whose look is used: its inversion, its weight (>= 0), and the MASK [B, H, W] of what it paints."""

    inversion: Inversion
    weight: float = 1.0
    mask: Tensor | None = None


@dataclass(frozen=True)
class Settings:
    """The dials of Cross-Image Attention; defaults are those of the released code, in executed steps (spec 1.3)."""

    strength: float = 1.0
    contrast: float = 1.67
    clip: bool = True
    fine: Window = LEVEL_1
    coarse: Window = LEVEL_2
    structure_every: int = 5
    structure_until: int = 40
    replayed: bool = False

    @property
    def first(self) -> int:
        return min(self.fine.first, self.coarse.first)


def transfer_appearance(
    model: ModelPatcher, appearances: Sequence[Appearance], structure: Inversion | None, settings: Settings
) -> ModelPatcher:
    """A clone of `model` whose decoder looks at the appearances; strength 0 returns a plain clone.

    Raises ValueError for an unsupported architecture, no appearance, or inversions of another model or other sizes.
    """
    if not appearances:
        raise ValueError("No appearance is connected. Connect at least one inversion to Cross-Image Attention.")
    levels = decoder_levels(model)
    inversions = [appearance.inversion for appearance in appearances] + ([structure] if structure is not None else [])
    for inversion in inversions:
        if not same_model(inversion.fingerprint, model):
            log.warning(
                "An inversion was made with another checkpoint of this family: it will not be replayed exactly."
            )
        if inversion.size != inversions[0].size:
            raise ValueError(
                f"The inverted pictures differ in size: latents of {inversion.extent} and {inversions[0].extent}. "
                "Resize all pictures to one size before VAE Encode and invert them again."
            )
    clone = model.clone()
    if settings.strength > 0:
        Transfer(appearances, structure, settings, levels).attach(clone)
    return clone


class Transfer:
    """What one Cross-Image Attention node adds to a model. `run` is None except while its model samples."""

    def __init__(
        self, appearances: Sequence[Appearance], structure: Inversion | None, settings: Settings, levels: DecoderLevels
    ):
        self.appearances = tuple(appearances)
        self.structure = structure
        self.settings = settings
        self.levels = levels
        self.run: Run | None = None

    def attach(self, clone: ModelPatcher) -> None:
        before = clone.model_options["transformer_options"].get("patches_replace", {}).get("attn1", {})
        for block in self.levels.blocks_at(self.levels.fine) + self.levels.blocks_at(self.levels.coarse):
            for key in [("output", block), *(key for key in before if key[:2] == ("output", block) and len(key) == 3)]:
                previous = before.get(key, before.get(key[:2]))
                clone.set_model_attn1_replace(self._replacement(previous), *key)
        wrappers = comfy.patcher_extension.WrappersMP
        clone.add_wrapper_with_key(wrappers.OUTER_SAMPLE, KEY, self.outer_sample)
        clone.add_wrapper_with_key(wrappers.PREDICT_NOISE, KEY, self.predict_noise)
        clone.model_options["transformer_options"][KEY] = self

    def outer_sample(
        self, executor: Any, noise: Tensor, latent: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kwargs: Any
    ) -> Tensor:
        self.run = Run(self, [float(sigma) for sigma in sigmas], latent.shape)
        try:
            return executor(noise, latent, sampler, sigmas, *args, **kwargs)
        finally:
            self.run = None

    def predict_noise(
        self, executor: Any, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any = None
    ) -> Tensor:
        run = self.run
        if run is None:
            return executor(x, timestep, model_options, seed)
        run.fill_banks(executor.class_obj, timestep, model_options, seed)
        try:
            return executor(x, timestep, model_options, seed)
        finally:
            run.banks.clear()

    def _replacement(self, previous: Callable[..., Tensor] | None) -> Callable[..., Tensor]:
        def plain(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
            if previous is not None:
                return previous(q, k, v, extra)
            return plain_attention(q, k, v, extra)

        def attend(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
            run = self.run
            if run is None or not run.reads(extra, q):
                return plain(q, k, v, extra)
            edited, others = split_rows(extra["cond_or_uncond"], q.shape[0])
            if not edited:
                return plain(q, k, v, extra)
            if previous is not None or "optimized_attention_override" in extra or not run.paints_everything(extra):
                out = plain(q, k, v, extra).clone()
                own = out[edited]
            else:  # no place keeps its own attention, so it need not be computed
                out = torch.empty_like(q)
                own = None
                if others:
                    out[others] = plain(q[others], k[others], v[others], extra)
            out[edited] = run.attend(q[edited], own, extra)
            return out

        return attend


class Run:
    """One sampling run: which level is being computed, which references it reads, and their feature banks."""

    def __init__(self, transfer: Transfer, sigmas: list[float], shape: Sequence[int]):
        settings = transfer.settings
        self.settings = settings
        self.windows = {transfer.levels.fine: settings.fine, transfer.levels.coarse: settings.coarse}
        self.levels = transfer.levels
        self.batch = shape[0]
        self.sigmas = sigmas
        self.steps = len(sigmas) - 1
        self.step = -1
        self.banks: list[FeatureBank] = []
        kind = ReplayedReference if settings.replayed else RecordedReference
        self.appearances = [kind(appearance.inversion) for appearance in transfer.appearances]
        self.structure = kind(transfer.structure) if transfer.structure is not None else None
        self.weights = [appearance.weight for appearance in transfer.appearances]
        self.masks = [appearance.mask for appearance in transfer.appearances]
        self._shares: dict[tuple[tuple[int, ...], bool], Tensor] = {}
        self._warned: set[str] = set()
        for reference in self._references():
            _check_fits(reference.inversion, sigmas, shape)
        self._say_what_will_happen()

    def open_levels(self, step: int) -> list[int]:
        """The decoder levels that look at references at executed step `step`."""
        return [level for level, window in self.windows.items() if window.contains(step)]

    def is_open(self, sigma: float) -> bool:
        """Whether the step at this noise level reads a reference; if not, a pass without transfer is the same."""
        step = self.step_at(sigma)
        return step is not None and bool(self.open_levels(step))

    def step_at(self, sigma: float) -> int | None:
        """The executed step whose level is `sigma`; None between levels."""
        nearest = min(range(self.steps), key=lambda i: abs(self.sigmas[i] - sigma))
        return nearest if abs(self.sigmas[nearest] - sigma) <= SAME_LEVEL * self.sigmas[nearest] else None

    def fill_banks(self, guider: Any, sigma: Tensor, model_options: dict[str, Any], seed: Any) -> None:
        """Run the references this step reads (all of them where they are replayed)."""
        found = self.step_at(float(sigma.max()))
        self.step = -1 if found is None else found
        if found is None:
            self._warn_once(
                "This sampler evaluates between the recorded noise levels; those evaluations are not transferred."
            )
            return
        blocks = [block for level in self.open_levels(found) for block in self.levels.blocks_at(level)]
        reading = self._reading(found) if blocks else []
        for reference in self._references():
            if reference in reading:
                self.banks.append(reference.run(guider, sigma, found, model_options, blocks, seed))
            elif reference.evaluates_every_step:
                reference.run(guider, sigma, found, model_options, (), seed)

    def reads(self, extra: dict[str, Any], q: Tensor) -> bool:
        """Whether this attention layer, called now, is one that looks at the references."""
        key = layer_of(extra)
        if not self.banks or key not in self.banks[0]:
            return False
        height, width = extra["activations_shape"][-2:]
        if q.shape[1] != height * width or height * width != self.banks[0][key][0].shape[2]:
            self._warn_once(
                "Another node changes the number of tokens of the decoder's self-attention; there the transfer is off."
            )
            return False
        return True

    def paints_everything(self, extra: dict[str, Any]) -> bool:
        """Whether the references of this step share out every place, leaving nothing to the output's own attention."""
        return bool((self._shares_at(extra).sum(0) > 1 - NEGLIGIBLE).all())

    def attend(self, q: Tensor, own: Tensor | None, extra: dict[str, Any]) -> Tensor:
        """Attention of the positive rows. q: [B, N, heads*d]; own: their plain attention, where some of it is kept."""
        heads = extra["n_heads"]
        queries = split_heads(q.float() if extra.get("attn_precision") == torch.float32 else q, heads)
        references = []
        for bank, share in zip(self.banks, self._shares_at(extra), strict=True):
            k, v = (tensor.to(device=q.device, dtype=queries.dtype) for tensor in bank[layer_of(extra)])
            references.append((_per_output(k, q.shape[0]), _per_output(v, q.shape[0]), share.to(q.device)))
        out = cross_image_attention(
            queries,
            None if own is None else split_heads(own, heads).to(queries.dtype),
            references,
            contrast=self.settings.contrast,
            clip=self.settings.clip,
        )
        return join_heads(out).to(q.dtype)

    def latent_of(self, inversion: Inversion, level: int) -> Tensor | None:
        """Where a replayed reference stands at `level`; None for one that is not replayed in this run."""
        for reference in self._references():
            if reference.inversion is inversion and reference.evaluates_every_step:
                return reference.latent(level)
        return None

    def _references(self) -> list[RecordedReference]:
        return self.appearances + ([self.structure] if self.structure is not None else [])

    def _reading(self, step: int) -> list[RecordedReference]:
        settings = self.settings
        if self.structure is not None and reads_structure(
            step, settings.first, settings.structure_every, settings.structure_until
        ):
            return [self.structure]
        return self.appearances

    def _shares_at(self, extra: dict[str, Any]) -> Tensor:
        """[references this step reads, B, N]: how much of each output place each of them paints."""
        grid = tuple(extra["activations_shape"][-2:])
        structural = self._reading(self.step) == [self.structure]
        if (grid, structural) not in self._shares:
            weights, masks = ([1.0], [None]) if structural else (self.weights, self.masks)
            self._shares[grid, structural] = shares(weights, masks, grid, self.batch) * self.settings.strength
        return self._shares[grid, structural]

    def _warn_once(self, sentence: str) -> None:
        if sentence not in self._warned:
            self._warned.add(sentence)
            log.warning(sentence)

    def _say_what_will_happen(self) -> None:
        """One line that explains the run, and a warning where it can have no effect."""
        reading = [step for step in range(self.steps) if self.open_levels(step)]
        if not reading:
            self._warn_once(
                f"Cross-Image Attention has no effect: its windows open at executed step {self.settings.first} and "
                f"this run has {self.steps} steps. Lower the first steps or run more steps."
            )
            return
        structural = sum(self.structure in self._reading(step) for step in reading)
        evaluations = sum(len(self._reading(step)) for step in reading)
        if self.settings.replayed:
            evaluations = self.steps * len(self._references())
        log.info(
            "Cross-image attention on executed steps %d-%d of %d (levels %s), %d of them read the structure; "
            "%d extra U-Net evaluations.",
            reading[0],
            reading[-1],
            self.steps,
            ", ".join(f"/{level}" for level in self.windows),
            structural,
            evaluations,
        )


def current_run(model_options: dict[str, Any]) -> Run | None:
    """The run of the transfer on a sampling model, from the options its sampler and guider are given; None without."""
    transfer = model_options.get("transformer_options", {}).get(KEY)
    return transfer.run if transfer is not None else None


def _per_output(tensor: Tensor, batch: int) -> Tensor:
    """One reference picture serves the whole batch; a batch of references goes picture by picture."""
    return (
        tensor.expand(batch, *tensor.shape[1:])
        if tensor.shape[0] == 1
        else tensor.repeat(batch // tensor.shape[0], 1, 1, 1)
    )


def _check_fits(inversion: Inversion, sigmas: list[float], shape: Sequence[int]) -> None:
    """Raise before anything expensive if an inversion cannot stand beside this run."""
    if tuple(shape[-2:]) != tuple(inversion.size):
        raise ValueError(
            f"The latent to sample is {shape[-1]}x{shape[-2]} and an inversion is {inversion.extent} (latent pixels). "
            "Resize the pictures to one size before VAE Encode."
        )
    if shape[0] % inversion.pictures:
        raise ValueError(
            f"An inversion holds {inversion.pictures} pictures and the batch to sample {shape[0]}: "
            "use one reference picture for all outputs, or as many as there are outputs."
        )
    recorded = inversion.schedule.sigmas
    run = sigmas[:-1]
    if len(run) != len(recorded) - 1 or any(abs(a - b) > SAME_LEVEL * b for a, b in zip(run, recorded, strict=False)):
        raise ValueError(
            f"The run has {len(run)} steps from sigma {run[0] if run else 0:.3f}, the inversion was recorded for "
            f"{len(recorded) - 1} steps from sigma {recorded[0]:.3f}. Use the SIGMAS of Resume from Inversion, or "
            "invert with the SIGMAS of this sampler."
        )
