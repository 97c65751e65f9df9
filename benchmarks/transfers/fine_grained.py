"""Fine-grained Appearance Transfer on pairs, with the inversions it needs: null text and DDIM, 50 steps, or DDIM alone.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ...correspondence.match import FIELD, NEAREST, TRANSPORT
from ...guidance.deviation import DeviationParams
from ...host.inversion.ddpm_and_ddim import invert_with_ddim
from ...host.inversion.null_text import invert_with_null_text
from ...host.inversion.null_text_guider import NullTextGuider
from ...host.models.attention_layer import SIDES
from ...host.models.conditioning import unpack
from ...host.models.schedules import schedule_of
from ...host.runtime.model_runner import stock_guider
from ...host.transfer.found_guidance import Matching
from ...host.transfer.latent_deviation import DeviationSampler, DeviationSettings
from ...inversion.null_text import NullTextSettings
from ...inversion.types import Inversion
from .inverted import TRUE, InvertedPairs, Models
from .sampled import sample

STEPS = 50
GUIDANCE = 3.5
"""The paper's is 7.5, at which the pocket model burns even where nothing is transferred."""


@dataclass(frozen=True)
class Deviation:
    """A transfer by latent deviation. inside: the true masks, given to the method."""

    name: str
    settings: DeviationSettings = DeviationSettings()
    inside: bool = True


FINDING, PAPER = DeviationSettings(), DeviationSettings.paper()
DEVIATIONS = (
    Deviation("fine-grained, found", FINDING, inside=False),
    *(
        Deviation(f"fine-grained, matches by {by}", replace(FINDING, by=Matching(method, within=True)))
        for by, method in (("nearest neighbors", NEAREST), ("the field", FIELD), ("transport", TRANSPORT))
    ),
    Deviation("fine-grained", PAPER),
    Deviation("fine-grained, initial matching", DeviationSettings.paper(matching="initial")),
    Deviation("fine-grained, no matching", DeviationSettings.paper(matching="none")),
    Deviation("fine-grained, no deviation", replace(PAPER, mixing=DeviationParams(delta=0.0))),
)


UNTIL_LATER = replace(FINDING.window, end_percent=0.6)
"""As many steps of 20 as the default window has of 50; chosen on 16 other pairs, from seeds 800000 and 810000 on."""
FEW_STEPS = 20
AT_FEW_STEPS = tuple(
    replace(one, name=f"{one.name}, {FEW_STEPS} steps", settings=replace(FINDING, window=UNTIL_LATER))
    for one in (Deviation("fine-grained, found", inside=False), Deviation("fine-grained"))
)


def deviate(models: Models, pairs: InvertedPairs, variant: Deviation) -> Tensor:
    """The output images [B, H, W, 3] of one variant."""
    structure, appearance = _structure(models, pairs.structure), _appearance(models, pairs.appearance)
    sampler = _sampler(pairs, structure, appearance, variant)
    guider = NullTextGuider(models.model, unpack(structure.conditioning, "positive"), structure, GUIDANCE)
    return sample(models, structure, guider, sampler)


def deviate_unguided(models: Models, pairs: InvertedPairs, variant: Deviation, steps: int) -> Tensor:
    """The same without text guidance, where plain DDIM inversion leads back; the appearance is only read."""
    structure = invert_with_ddim(*_to_invert(models, pairs.structure, steps), thumbnail=pairs.structure.thumbnail)
    sampler = _sampler(pairs, structure, pairs.appearance, variant)
    guider = stock_guider(models.model, *(unpack(structure.conditioning, side) for side in SIDES.values()), 1.0)
    return sample(models, structure, guider, sampler)


def _sampler(pairs: InvertedPairs, structure: Inversion, appearance: Inversion, variant: Deviation) -> DeviationSampler:
    masks = pairs.masks[TRUE]
    inside = {"mask": masks.structure, "appearance_mask": masks.appearance} if variant.inside else {}
    return DeviationSampler(structure, appearance, variant.settings, **inside)


@lru_cache(maxsize=1)  # all variants of a batch share it
def _structure(models: Models, inversion: Inversion) -> Inversion:
    with torch.inference_mode(False):
        settings = NullTextSettings(guidance=GUIDANCE)
        return invert_with_null_text(*_to_invert(models, inversion), settings, thumbnail=inversion.thumbnail)


@lru_cache(maxsize=2)  # as it is, and mirrored
def _appearance(models: Models, inversion: Inversion) -> Inversion:
    return invert_with_ddim(*_to_invert(models, inversion), thumbnail=inversion.thumbnail)


def _to_invert(models: Models, inversion: Inversion, steps: int = STEPS) -> tuple[Any, ...]:
    """What these inversions begin with: model, latent, its own prompts, the schedule of this method."""
    latent = models.model.get_model_object("latent_format").process_out(inversion.x0)
    prompts = (unpack(inversion.conditioning, side) for side in SIDES.values())
    return models.model, latent, *prompts, schedule_of(models.model, steps=steps)
