"""Sampling from an inversion: from its noisiest latent, at its own levels, along its noise maps."""

import comfy.samplers
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...inversion.types import Inversion
from ..inversion.null_text_guider import NullTextGuider
from ..models.conditioning import unpack
from ..models.fingerprint import latent_format_of
from ..models.schedules import sigmas_tensor
from ..runtime.latents import in_vae_scale
from ..runtime.model_runner import stock_guider, to_intermediate
from .between_steps import LatentOperation
from .noise_map_sampler import RESUME, NoiseMapSampler

SAMPLE = "Sample from Inversion"


def resumed(
    inversion: Inversion, between_steps: LatentOperation | None = None, node: str = RESUME
) -> tuple[NoiseMapSampler, Tensor, Tensor]:
    """(sampler, SIGMAS, the samples of a LATENT) from which any guider samples.

    Raises ValueError for an image that was only noised.
    """
    latent = in_vae_scale(inversion.start, latent_format_of(inversion.fingerprint))
    return NoiseMapSampler(inversion, between_steps, node), sigmas_tensor(inversion.schedule), latent


def sample_from_inversion(
    model: ModelPatcher | comfy.samplers.CFGGuider,
    inversion: Inversion,
    cfg: float = 1.0,
    between_steps: LatentOperation | None = None,
) -> Tensor:
    """The sampled latent in the VAE's scale, the samples of a LATENT.

    model: a MODEL, sampled under the inversion's own texts (and its null-text embeddings, if it has any) with
        classifier-free guidance `cfg`; or a GUIDER, which has texts and guidance of its own.
    Raises ValueError for an image that was only noised.
    """
    sampler, sigmas, latent = resumed(inversion, between_steps, SAMPLE)
    guider = _own_text_guider(model, inversion, cfg) if isinstance(model, ModelPatcher) else model
    callback = latent_preview.prepare_callback(guider.model_patcher, len(sigmas) - 1)
    samples = guider.sample(
        torch.zeros_like(latent), latent, sampler, sigmas, callback=callback, disable_pbar=True, seed=inversion.seed
    )
    return to_intermediate(samples)


def _own_text_guider(model: ModelPatcher, inversion: Inversion, cfg: float) -> comfy.samplers.CFGGuider:
    positive = unpack(inversion.conditioning, "positive")
    if inversion.null_text_steps:
        return NullTextGuider(model, positive, inversion, cfg)
    return stock_guider(model, positive, unpack(inversion.conditioning, "negative"), cfg)
