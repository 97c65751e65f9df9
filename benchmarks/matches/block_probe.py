"""The blocks of the pocket transformer as features of pairs, all facets out of the same forwards.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor

from ...correspondence.dift import FACETS, BlockReading, DiftSettings
from ...correspondence.features import Features
from ...host.matching.block_features import blocks_of_x0
from ...host.models.architecture import known_transformer, network_of
from ...host.models.conditioning import processed_prompt
from ...host.runtime.model_runner import Denoise, run_with_model
from ..transfers.fused_sides import Sides
from ..transfers.inverted import Models
from ..transfers.pairs import RenderedPairs, prompt
from .elsewhere import finer, moved, moved_back

ROWS = 24  # per forward


def every_reading(models: Models) -> list[BlockReading]:
    """Every facet of every block."""
    blocks = range(len(known_transformer(network_of(models.model)).blocks))
    return [BlockReading(block, facet) for facet in FACETS for block in blocks]


def sides_of(
    models: Models, truth: RenderedPairs, timestep: int, ensemble: int, readings: Sequence[BlockReading]
) -> tuple[list[Sides], list[Sides]]:
    """The features of every reading of the pairs; and with appearances that were read elsewhere in their images."""

    def read(images: Tensor, nouns: list[str]) -> list[Features]:
        return _read_blocks(models, images, nouns, timestep, ensemble, readings)

    ours = [finer(one) for one in read(truth.structure.image, truth.structure_nouns)]
    as_they_are, elsewhere = [], []
    for images in (truth.appearance.image, truth.appearance.image.flip(2)):
        as_they_are.append([finer(one) for one in read(images, truth.appearance_nouns)])
        elsewhere.append([finer(moved_back(one)) for one in read(moved(images), truth.appearance_nouns)])
    return list(zip(ours, *as_they_are, strict=True)), list(zip(ours, *elsewhere, strict=True))


def _read_blocks(
    models: Models, images: Tensor, nouns: list[str], timestep: int, ensemble: int, readings: Sequence[BlockReading]
) -> list[Features]:
    """The features of every reading of images [B, H, W, 3], each under the text of its noun."""
    settings = DiftSettings(timestep=timestep, up_block=None, ensemble=ensemble, batch=ROWS)
    latent, text = models.encode(images), models.conditioning([prompt(noun) for noun in nouns])
    model = models.model
    transformer = known_transformer(network_of(model))
    clean = model.get_model_object("latent_format").process_in(latent)

    def body(denoise: Denoise, x: Tensor) -> list[Tensor]:
        conds = processed_prompt(model.model, text, x, settings.seed)
        return blocks_of_x0(model.model, transformer, clean.to(x), conds, settings, readings, model.model_options)

    sigmas = torch.tensor([1.0, 0.0])
    found = run_with_model(model, latent, body, positive=text, negative=text, guidance=1.0, sigmas=sigmas)
    return [Features(values, (images.shape[1], images.shape[2])) for values in found]
