"""What positions are compared by: DIFT, the model's self-attention, the pixels themselves, or nothing at all.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn.functional import interpolate, normalize

from ...correspondence.dift import BLOCK_PRESETS, FACETS, PRESETS, BlockReading
from ...correspondence.features import Features
from ...host.models.schedules import schedule_of, sigmas_tensor
from ...host.models.unet import decoder_levels
from ...host.models.unet_attention import plain_attention
from ...host.runtime.model_runner import run_with_model
from ...inversion.ddpm import draw_noise, noisy_levels
from ...inversion.defaults import PAPER_START_AT, PAPER_STEPS
from ...pocket.checkpoint import LARGE_NETWORK, TRANSFORMER_NETWORK
from ..transfers.dift import dift
from ..transfers.inverted import Models
from ..transfers.pairs import prompt
from .plain import chance, pixels, position

Source = Callable[[Models, Tensor, list[str]], Features]
"""(models, images [B, H, W, 3], their nouns) -> their features."""

TIMESTEPS = (0, 101, 261, 421, 621, 741)
UP_BLOCKS = (0, 1, 2)
ATTENTION_STEPS = (11, 30, 50)  # executed steps of 68; Eye-for-an-eye matches from 11 on
TRANSFORMER = "pocket transformer"


def two_up_blocks(models: Models, images: Tensor, nouns: list[str], *, timestep: int) -> Features:
    """Up blocks 0 and 1, each of unit length, side by side on the finer grid (as in Zhang et al., arXiv 2305.15347)."""
    coarse, fine = (dift(models, images, nouns, timestep=timestep, up_block=block) for block in (0, 1))
    enlarged = interpolate(coarse.values, size=fine.grid, mode="bilinear")
    return replace(fine, values=torch.cat([normalize(enlarged), normalize(fine.values)], dim=1))


def self_attention(
    models: Models, images: Tensor, nouns: list[str], *, step: int, coarse: bool, keys: bool
) -> Features:
    """The input (normalized tokens) or the keys of a decoder level's last self-attention, at an inverted image.

    The latents are those that DDPM inversion records for this executed step; Eye-for-an-eye compares the inputs.
    """
    schedule = schedule_of(models.model, steps=PAPER_STEPS, start_at=PAPER_START_AT)
    latent = models.encode(images)
    x0 = models.model.get_model_object("latent_format").process_in(latent)
    x = noisy_levels(x0, schedule, draw_noise(x0, schedule, seed=42))[step]
    levels = decoder_levels(models.model)
    block = max(levels.blocks_at(levels.coarse if coarse else levels.fine))
    seen: dict[bool, Tensor] = {}

    def take_input(n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> tuple[Tensor, Tensor, Tensor]:
        if extra["block"] == ("output", block):
            seen[False] = _on_grid(n, extra)
        return n, context, value

    def take_keys(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        seen[True] = _on_grid(k, extra)
        return plain_attention(q, k, v, extra)

    clone = models.model.clone()
    clone.set_model_attn1_patch(take_input)
    clone.set_model_attn1_replace(take_keys, "output", block)
    positive = models.conditioning([prompt(noun) for noun in nouns])
    sigmas = sigmas_tensor(schedule)
    run_with_model(
        clone, latent, lambda denoise, _: denoise(x, sigmas[step]),
        positive=positive, negative=positive, guidance=1.0, sigmas=sigmas,
    )  # fmt: skip
    return Features(seen[keys], tuple(images.shape[1:3]))


def _on_grid(tokens: Tensor, extra: dict[str, Any]) -> Tensor:
    return tokens.movedim(-1, 1).unflatten(2, tuple(extra["activations_shape"][-2:]))


def _plain(features: Callable[..., Features], **settings: int) -> Source:
    """Features that need the images alone."""
    return lambda models, images, nouns: features(images, **settings)


def sources() -> Iterator[tuple[str, Source]]:
    """Every source by its name."""
    preset = PRESETS["pocket"]
    timestep, up_block = preset["timestep"], preset["up_block"]
    yield "DIFT, pocket preset", partial(dift, **preset)
    yield "DIFT, pocket preset, empty text", partial(dift, **preset, text=False)
    yield "DIFT, pocket preset, ensemble 1", partial(dift, **preset, ensemble=1)
    for other in TIMESTEPS:
        if other != timestep:
            yield f"DIFT, timestep {other}, up block {up_block}", partial(dift, timestep=other, up_block=up_block)
    for other in UP_BLOCKS:
        if other != up_block:
            yield f"DIFT, timestep {timestep}, up block {other}", partial(dift, timestep=timestep, up_block=other)
    yield f"DIFT, timestep {timestep}, up blocks 0 and 1", partial(two_up_blocks, timestep=timestep)
    for keys in (False, True):
        for level, coarse in (("/1", False), ("/2", True)):
            for step in ATTENTION_STEPS:
                name = f"self-attention {'keys' if keys else 'input'}, level {level}, step {step}"
                yield name, partial(self_attention, step=step, coarse=coarse, keys=keys)
    yield "raw pixels", _plain(pixels, neighborhood=1)
    yield "raw pixels, 3 x 3", _plain(pixels, neighborhood=3)
    yield "chance", _plain(chance)


def sources_at_256() -> Iterator[tuple[str, tuple[str, Source]]]:
    """Those that are compared on images of 256 px: name, pocket network and source."""
    preset = BLOCK_PRESETS["pocket transformer"]
    reading = preset["block"]
    yield TRANSFORMER, (TRANSFORMER_NETWORK, partial(dift, **preset))
    yield f"{TRANSFORMER}, ensemble 1", (TRANSFORMER_NETWORK, partial(dift, **preset, ensemble=1))
    for facet in FACETS:
        if facet != reading.facet:
            other = partial(dift, **(preset | {"block": BlockReading(reading.block, facet)}))
            yield f"{TRANSFORMER}, {facet}", (TRANSFORMER_NETWORK, other)
    yield "U-Net at 256 px, pocket preset", (LARGE_NETWORK, partial(dift, **PRESETS["pocket"]))
    yield "U-Net at 256 px, pocket preset, ensemble 1", (LARGE_NETWORK, partial(dift, **PRESETS["pocket"], ensemble=1))
    yield "the same place in the image", (LARGE_NETWORK, _plain(position))
