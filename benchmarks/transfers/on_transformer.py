"""Transfers on the pocket transformer, from rendered pairs to images, and what they have to beat.

The same pairs, captions and measures as on the U-Net. Structures are inverted without text guidance, appearances
noised, every step reads the appearance, and AdaIN acts between the steps. Masks and matches are the renderer's or the
pocket U-Net's. Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ...attention.windows import Window
from ...host.models.schedules import schedule_of
from ...host.runtime.model_runner import stock_guider
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
from ...host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance
from ...host.transfer.plan import Appearance
from ...host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance
from ...inversion.schedule import Schedule
from ...inversion.types import Inversion
from ...pocket.checkpoint import TRANSFORMER_NETWORK
from ..evaluation_counter import EvaluationCount
from .baselines import TEXT_GUIDANCE, from_noise
from .inverted import Models, invert, models_of, noised
from .pair_guidance import TRUE, Guidance, guidance_of
from .pairs import RenderedPairs, prompt
from .sampled import resume

SIZE, STEPS, START_AT = 256, 20, 6
NOISIEST = 0.75
"""Where a run of few steps begins; 20 steps without the first 6 begin at 0.7."""
WHOLE, ADAIN = Window(0.0, 1.0), Window(0.5, 1.0)


@dataclass(frozen=True)
class Outputs:
    """images [B, 256, 256, 3]; and a pair's evaluations of the transformer, and of the network that finds for it."""

    images: Tensor
    evaluations: float
    matching_evaluations: float = 0.0


@dataclass(frozen=True)
class Transfer:
    """One way to transfer. settings: of its method; None is none.

    keys: the appearance is read only where its animal is. masks, matches: whose they are; matches None is none.
    adain: between the steps. guidance: away from a run without transfer; None is none. levels: of noise, from the
    first to 0; empty, those of 14 of 20 steps. flipped: the appearance's image and mask are turned around before it is
    read.
    """

    settings: CrossImageSettings | RearrangementSettings | None = None
    keys: bool = True
    masks: str = TRUE
    matches: str | None = None
    adain: bool = True
    guidance: GuidanceSettings | None = None
    levels: tuple[float, ...] = ()
    flipped: bool = False

    def __call__(self, models: Models, truth: RenderedPairs) -> Outputs:
        if self.flipped:
            image, mask = truth.appearance.image.flip(2), truth.appearance.mask.flip(2)
            truth = replace(truth, appearance=replace(truth.appearance, image=image, mask=mask))
        pairs = inverted(models, truth, self.levels)
        found = guidance_of(truth, self.masks, self.matches or TRUE)
        count = EvaluationCount(models.model.model.diffusion_model)
        guider = _guider(models, truth, self.patched(models, pairs.appearance, found), self.guidance)
        adain = AdaINOperation(pairs.appearance, found.masks.structure, found.masks.appearance, ADAIN)
        images = resume(models, pairs.structure, guider, adain if self.adain else None)
        count.close()
        own = sum(count.by_node.values()) / len(truth.pairs)
        return Outputs(images, pairs.evaluations + own, found.evaluations)

    def patched(self, models: Models, reference: Inversion, found: Guidance) -> Any:
        """The MODEL with the transfer; the plain one where there is none."""
        if self.settings is None:
            return models.model
        appearance = Appearance(
            reference,
            mask=found.masks.structure,
            appearance_mask=found.masks.appearance if self.keys else None,
            correspondence=found.matches if self.matches else None,
        )
        if isinstance(self.settings, CrossImageSettings):
            return transfer_appearance(models.model, [appearance], None, self.settings)
        return rearrange_appearance(models.model, [appearance], None, self.settings)


@dataclass(frozen=True)
class Refined:
    """A transfer, and after it a little noise that the plain model takes away, under the structure's text.

    levels: of noise, from the first to 0.
    """

    transfer: Transfer
    levels: tuple[float, ...]

    def __call__(self, models: Models, truth: RenderedPairs) -> Outputs:
        first = self.transfer(models, truth)
        count = EvaluationCount(models.model.model.diffusion_model)
        texts = [prompt(noun) for noun in truth.structure_nouns]
        images = from_noise(models, models.encode(first.images), _schedule(models, self.levels), texts, 1.0)
        count.close()
        own = sum(count.by_node.values()) / len(truth.pairs)
        return replace(first, images=images, evaluations=first.evaluations + own)


@dataclass(frozen=True, eq=False)
class InvertedPairs:
    """B pairs, every image under the prompt of its noun, and what inverting them took, a pair."""

    structure: Inversion
    appearance: Inversion
    evaluations: float


def transformer_models() -> Models:
    """The committed pocket transformer in fp32."""
    return models_of(TRANSFORMER_NETWORK)


@lru_cache(maxsize=4)  # all methods of a batch share it
def inverted(models: Models, truth: RenderedPairs, levels: tuple[float, ...] = ()) -> InvertedPairs:
    """The structures inverted, the appearances noised."""
    count = EvaluationCount(models.model.model.diffusion_model)
    schedule = _schedule(models, levels)
    structure = invert(models, truth.structure.image, truth.structure_nouns, schedule, 1.0)
    appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
    count.close()
    return InvertedPairs(structure, appearance, sum(count.by_node.values()) / len(truth.pairs))


def few(steps: int, noisiest: float = NOISIEST) -> tuple[float, ...]:
    """The levels of few steps in equal parts."""
    return tuple(torch.linspace(noisiest, 0.0, steps + 1).tolist())


def _schedule(models: Models, levels: tuple[float, ...] = ()) -> Schedule:
    if levels:
        return schedule_of(models.model, steps=len(levels) - 1, sigmas=torch.tensor(levels))
    return schedule_of(models.model, steps=STEPS, start_at=START_AT)


def text_of_structures(models: Models, truth: RenderedPairs) -> Any:
    """The CONDITIONING under which every structure is inverted and every output made."""
    return models.conditioning([prompt(noun) for noun in truth.structure_nouns])


def _guider(models: Models, truth: RenderedPairs, model: Any, guidance: GuidanceSettings | None) -> Any:
    positive = text_of_structures(models, truth)
    if guidance is not None:
        return AppearanceGuider(model, positive, None, guidance)
    return stock_guider(model, positive, models.conditioning([""]), 1.0)


def identity(models: Models, truth: RenderedPairs) -> Outputs:
    """The structure image itself: what errors are measured against."""
    return Outputs(truth.structure.image, 0.0)


def autoencoded_answer(models: Models, truth: RenderedPairs) -> Outputs:
    """The perfect answer through the autoencoder: the bound."""
    return Outputs(models.decode(models.encode(truth.answer.image)), 0.0)


def sdedit(models: Models, truth: RenderedPairs) -> Outputs:
    """From where the transfers start, in fresh noise, under the appearance's full caption."""
    count = EvaluationCount(models.model.model.diffusion_model)
    latent = models.encode(truth.structure.image)
    images = from_noise(models, latent, _schedule(models), truth.appearance_captions, TEXT_GUIDANCE)
    count.close()
    return Outputs(images, sum(count.by_node.values()) / len(truth.pairs))


Method = Callable[[Models, RenderedPairs], Outputs]
