"""Fine-grained Appearance Transfer on pairs, with the inversions it needs: null text and DDIM, 50 steps.

Imports the host's modules, so import it after the host has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch
from torch import Tensor

from ...guidance.deviation import Mixing
from ...host.conditioning import unpack
from ...host.deviation import DeviationSampler, DeviationSettings
from ...host.inverting import invert_with_ddim
from ...host.null_text import NullTextGuider
from ...host.null_text_inverting import invert_with_null_text
from ...host.schedules import schedule_of
from ...inversion.null_text import NullTextSettings
from ...inversion.record import Inversion
from .inverted import TRUE, InvertedPairs, Models
from .sampled import sample

STEPS = 50
GUIDANCE = 3.5
"""The paper's is 7.5, at which the pocket model burns even where nothing is transferred."""


@dataclass(frozen=True)
class Deviation:
    """A transfer by latent deviation inside the true masks."""

    name: str
    settings: DeviationSettings = DeviationSettings()


DEVIATIONS = (
    Deviation("fine-grained"),
    Deviation("fine-grained, initial matching", DeviationSettings(matching="initial")),
    Deviation("fine-grained, no matching", DeviationSettings(matching="none")),
    Deviation("fine-grained, no deviation", DeviationSettings(mixing=Mixing(delta=0.0))),
)


def deviate(models: Models, pairs: InvertedPairs, variant: Deviation) -> Tensor:
    """The output pictures [B, H, W, 3] of one variant."""
    structure, appearance = _inversions(models, pairs)
    masks = pairs.masks[TRUE]
    sampler = DeviationSampler(
        structure, appearance, variant.settings, mask=masks.structure, appearance_mask=masks.appearance
    )
    guider = NullTextGuider(models.model, unpack(structure.conditioning, "positive"), structure, GUIDANCE)
    return sample(models, structure, guider, sampler)


@lru_cache(maxsize=1)  # all variants of a batch share them
def _inversions(models: Models, pairs: InvertedPairs) -> tuple[Inversion, Inversion]:
    """Structure (null text) and appearance (DDIM), each under its own prompt."""
    schedule = schedule_of(models.model, steps=STEPS)
    latent_format = models.model.get_model_object("latent_format")
    sides = []
    for inversion in (pairs.structure, pairs.appearance):
        prompts = (unpack(inversion.conditioning, side) for side in ("positive", "negative"))
        sides.append((models.model, latent_format.process_out(inversion.x0), *prompts, schedule))
    with torch.inference_mode(False):
        structure = invert_with_null_text(*sides[0], NullTextSettings(guidance=GUIDANCE))
    return structure, invert_with_ddim(*sides[1])
