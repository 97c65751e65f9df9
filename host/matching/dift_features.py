"""DIFT features from a MODEL of ComfyUI (correspondence/dift.py), in a node or in the middle of a sampling run.

The forward ends where the feature is found. A hook stands on that layer for the length of the forward, and leaves it
by an exception of its own, so the blocks behind it cost nothing and no patch of the model is needed. On U-Nets an up
block is read here, on transformers a block by `block_features`.
"""

import hashlib
import logging
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn import Module

from ...correspondence.dift import (
    BLOCK_PRESETS,
    PRESETS,
    BlockReading,
    DiftSettings,
    draws_per_batch,
    ensemble_means,
    sample_per_draw,
    shared_noise,
)
from ...correspondence.features import Features
from ..models.architecture import network_of, transformer_of
from ..models.conditioning import first_text, processed_prompt
from ..models.families.transformer import Transformer
from ..models.fingerprint import fingerprint
from ..models.model_options import without_patches
from ..models.plain_model import check_plain
from ..models.unet import up_block_ends
from ..runtime.latents import check_channels, framed, image_latents, in_model_scale
from ..runtime.model_runner import Denoise, run_with_model, to_intermediate
from .block_features import blocks_of_x0, check_reading, flow_level
from .partial_forward import Found, run_until_found

log = logging.getLogger("appearance_transfer")


def dift_features(
    model: ModelPatcher,
    latent: Tensor,
    positive: list,
    settings: DiftSettings,
    image: tuple[int, int] | None = None,
) -> Features:
    """Features of a batch of images, under one text or one per image, without guidance and without patches.

    latent: [B, C, h, w] in the VAE's scale, or [ensemble, B, C, h, w] with a posterior sample for every look.
    positive: a CONDITIONING; only its first text counts (no areas, ControlNet or reference latents). image: (H, W) in
        pixels; by default what the latent stands for.

    Raises ValueError for an unsupported architecture, settings of another kind of network or a block that this one does
    not have, latents of another kind, or a model that carries a transfer.
    """
    check_plain(model)
    where = _checked_place(network_of(model), settings)
    latent_format = model.get_model_object("latent_format")
    if of_video := latent_format.latent_dimensions == 3:
        latent = image_latents(latent)
    check_channels(latent, latent_format)
    text = first_text(positive)
    clean = in_model_scale(latent, latent_format) if of_video else latent_format.process_in(latent)
    at_once = min(settings.ensemble, draws_per_batch(latent.shape[-4], settings.batch))
    one_forward = sample_per_draw(latent, settings.ensemble)[:at_once].flatten(0, 1)

    log.info(
        "%d evaluations of the model, up to %s: %d image(s), %d look(s) at each.",
        latent.shape[-4] * settings.ensemble, where, latent.shape[-4], settings.ensemble,
    )  # fmt: skip

    def body(denoise: Denoise, x: Tensor) -> Tensor:
        prompt = processed_prompt(model.model, text, framed(x, latent_format), settings.seed)
        return dift_of_x0(model.model, clean.to(x), prompt, settings, model.model_options)

    values = run_with_model(
        model,
        one_forward,  # what memory is made ready for
        body,
        positive=text,
        negative=text,
        guidance=1.0,
        sigmas=torch.tensor([_noise_level(model.model, settings), 0.0]),
        seed=settings.seed,
    )
    ratio = latent_format.spacial_downscale_ratio
    return Features(
        values=to_intermediate(values),
        image=image or (latent.shape[-2] * ratio, latent.shape[-1] * ratio),
        source=_source(model, settings),
    )


def dift_of_x0(
    inner_model: Any, x0: Tensor, prompt: list[dict[str, Any]], settings: DiftSettings, model_options: dict[str, Any]
) -> Tensor:
    """Features [B, C', h', w'] of clean latents, for use inside a run: extra forwards that the run does not notice.

    inner_model: ComfyUI's BaseModel. x0: [B, C, h, w] (or [ensemble, B, C, h, w]) in the model's scale, on its device.
    prompt: as `calc_cond_batch` takes it; of its first entry the text counts, not areas or ControlNet. model_options:
        those of the run; patches in them are left out. Noise is fixed by settings.seed and shared by all images.

    Raises ValueError for an unsupported architecture, and for settings of another kind of network or a block that this
    one does not have.
    """
    transformer = transformer_of(inner_model.diffusion_model)
    if transformer is not None:
        reading = _reading(transformer, settings)
        return blocks_of_x0(inner_model, transformer, x0, prompt, settings, (reading,), model_options)[0]
    return up_blocks_of_x0(inner_model, x0, prompt, settings, (settings.up_block,), model_options)[0]


def up_blocks_of_x0(
    inner_model: Any,
    x0: Tensor,
    prompt: list[dict[str, Any]],
    settings: DiftSettings,
    up_blocks: Sequence[int],
    model_options: dict[str, Any],
) -> list[Tensor]:
    """`dift_of_x0` of several up blocks, which the same forwards give, in the order of `up_blocks`."""
    layers = [_up_block(inner_model.diffusion_model, number) for number in up_blocks]
    sampling = inner_model.model_sampling
    sigma = sampling.sigmas[settings.timestep].to(x0)
    text = [{key: prompt[0][key] for key in ("model_conds", "uuid")}]
    options = without_patches(model_options)

    def forward(clean: Tensor, noise: Tensor) -> list[Tensor]:
        x = sampling.noise_scaling(sigma, noise, clean)
        levels = sigma.expand(len(x))
        return _outputs_of(layers, lambda: comfy.samplers.calc_cond_batch(inner_model, [text], x, levels, options))

    noise = shared_noise(tuple(x0.shape[-3:]), settings.ensemble, settings.seed).to(x0)
    return ensemble_means(forward, x0, noise, settings.batch)


def _outputs_of(layers: Sequence[Module], forward: Callable[[], Any]) -> list[Tensor]:
    """What these layers give in `forward()`, which ends at the last of them to answer. However it ends, they are left
    as they were.
    """
    outputs: dict[int, Tensor] = {}

    def keep(number: int, module: Module, inputs: Any, output: Tensor) -> None:
        outputs[number] = output
        if len(outputs) == len(layers):
            raise Found

    hooks = [layer.register_forward_hook(partial(keep, number)) for number, layer in enumerate(layers)]
    run_until_found(forward, hooks, "decoder")
    return [outputs[number] for number in range(len(layers))]


def _checked_place(network: Module, settings: DiftSettings) -> str:
    """Where the network is read, in words. Raises ValueError where it cannot be."""
    transformer = transformer_of(network)
    if transformer is None:
        _up_block(network, settings.up_block)
        return f"up block {settings.up_block}"
    reading = _reading(transformer, settings)
    check_reading(transformer, reading)
    return f"block {reading.block} ({reading.facet})"


def _noise_level(inner_model: Any, settings: DiftSettings) -> float:
    if transformer_of(inner_model.diffusion_model) is not None:
        return flow_level(settings)
    return float(inner_model.model_sampling.sigmas[settings.timestep])


def _reading(transformer: Transformer, settings: DiftSettings) -> BlockReading:
    if settings.block is None:
        raise ValueError(
            f"The settings are for a U-Net, and this MODEL is a transformer ({transformer.family}). Set feature_preset "
            f"to {' or '.join(BLOCK_PRESETS)} if it is such a model, or else to custom."
        )
    return settings.block


def _up_block(network: Module, up_block: int | None) -> Module:
    ends = up_block_ends(network)
    if up_block is None:
        raise ValueError(
            "The settings are for a transformer, and this MODEL is a U-Net. Set feature_preset to "
            f"{' or '.join(PRESETS)}."
        )
    if up_block >= len(ends):
        raise ValueError(
            f"The up block is {up_block}, but the decoder of this MODEL has {len(ends)}, counted from 0. "
            f"Set up_block to at most {len(ends) - 1}."
        )
    return ends[up_block]


def _source(model: ModelPatcher, settings: DiftSettings) -> dict[str, str]:
    who = fingerprint(model)
    if settings.block is None or transformer_of(network_of(model)) is None:
        where = {"up_block": str(settings.up_block)}
    else:
        where = {"block": str(settings.block.block), "facet": settings.block.facet}
    return {
        "kind": "DIFT",
        "model": f"{who['architecture']} {hashlib.sha256(who['weights'].encode()).hexdigest()[:16]}",
        "timestep": str(settings.timestep),
        **where,
        "ensemble": str(settings.ensemble),
    }
