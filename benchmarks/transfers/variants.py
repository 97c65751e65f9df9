"""Our transfer with the nodes' defaults, and with one thing changed at a time.

Imports the host's modules, so import it after the host has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from ...attention.windows import ADAIN
from ...host.conditioning import unpack
from ...host.guider import AppearanceGuider, GuidanceSettings
from ...host.latent_operations import AdaINOperation
from ...host.sampler import NoiseMapSampler
from ...host.schedules import sigmas_tensor
from ...host.transfer import Appearance, Settings, transfer_appearance
from .inverted import InvertedPairs, Models

NO_GUIDANCE = GuidanceSettings(scale=1.0, end_scale=1.0)


@dataclass(frozen=True)
class Variant:
    """A transfer. adain: inside masks that Self-Segmentation found, inside the true ones, or not at all."""

    name: str
    settings: Settings = Settings()
    guidance: GuidanceSettings = GuidanceSettings()
    adain: Literal["found masks", "true masks", "off"] = "found masks"


OURS = Variant("ours")
VARIANTS = (
    OURS,
    Variant("ours, true masks", adain="true masks"),
    Variant("ours, no contrast", settings=Settings(contrast=1.0)),
    Variant("ours, no guidance", guidance=NO_GUIDANCE),
    Variant("ours, no AdaIN", adain="off"),
    Variant("ours, no structure injection", settings=Settings(structure_every=0)),
    Variant("ours, references replayed", settings=Settings(replayed=True)),
    Variant("AdaIN only", settings=Settings(strength=0.0)),
    Variant("replay only", settings=Settings(strength=0.0), adain="off"),
)


def transfer(models: Models, pairs: InvertedPairs, variant: Variant) -> Tensor:
    """The output pictures [B, H, W, 3] of one variant."""
    patched = transfer_appearance(models.model, [Appearance(pairs.appearance)], pairs.structure, variant.settings)
    guider = AppearanceGuider(patched, unpack(pairs.structure.conditioning, "positive"), None, variant.guidance)
    sampler = NoiseMapSampler(pairs.structure, _adain(pairs, variant))
    start = models.model.get_model_object("latent_format").process_out(pairs.structure.start)
    sigmas = sigmas_tensor(pairs.structure.schedule)
    return models.decode(guider.sample(torch.zeros_like(start), start, sampler, sigmas, disable_pbar=True))


def _adain(pairs: InvertedPairs, variant: Variant) -> AdaINOperation | None:
    if variant.adain == "off":
        return None
    if variant.adain == "true masks":
        masks = pairs.truth.structure.mask, pairs.truth.appearance.mask
    else:
        masks = pairs.structure_mask, pairs.appearance_mask
    return AdaINOperation(pairs.appearance, *masks, ADAIN)
