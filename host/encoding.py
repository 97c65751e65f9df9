"""From what a person connects, a picture or a LATENT, to the latents that a model looks at."""

import logging
from typing import Any

import torch
from comfy.ldm.models.autoencoder import DiagonalGaussianRegularizer
from comfy.ldm.modules.distributions.distributions import DiagonalGaussianDistribution
from torch import Tensor

from ..correspondence.dift import shared_noise

log = logging.getLogger("appearance_transfer")


def picture_or_latent(
    image: Tensor | None, vae: Any, latent: dict[str, Any] | None, samples: int, seed: int
) -> tuple[Tensor, tuple[int, int] | None]:
    """(latent, size of the picture), by whichever of IMAGE with VAE or LATENT is connected.

    image: [B, H, W, 3 or 4] in 0..1. samples: how many to draw from the VAE's posterior of a picture; 0 takes its mean.

    Returns [B, C, h, w] or, of samples, [samples, B, C, h, w], in the VAE's scale; and (H, W), None for a LATENT.
    Raises ValueError where nothing or too much is connected.
    """
    if (image is None) == (latent is None):
        found = "Nothing to look at is connected" if image is None else "Both a picture and a latent are connected"
        raise ValueError(f"{found}. Connect either image and vae, or latent.")
    if latent is not None:
        return latent["samples"], None
    if vae is None:
        raise ValueError("A picture is connected without a VAE to encode it. Connect vae, or a latent instead.")
    size = (image.shape[1], image.shape[2])
    pictures = image[..., :3]
    return posterior_samples(vae, pictures, samples, seed) if samples else vae.encode(pictures), size


def posterior_samples(vae: Any, pictures: Tensor, count: int, seed: int) -> Tensor:
    """`count` samples of every picture's posterior, [count, B, C, h, w] in the VAE's scale; the encoder runs once.

    pictures: [B, H, W, 3] in 0..1; those of a size share the noise that is drawn.

    A VAE without a posterior (TAESD) has one latent per picture, which is returned as it is, [B, C, h, w]. So is the
    mean, with a warning, where the host had to encode in tiles.
    """
    regulariser = getattr(vae.first_stage_model, "regularization", None)
    if not isinstance(regulariser, DiagonalGaussianRegularizer):
        return vae.encode(pictures)
    seen: list[Tensor] = []
    hook = regulariser.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    try:
        mean = vae.encode(pictures)
    finally:
        hook.remove()
    if sum(map(len, seen)) != len(mean) or any(part.shape[-2:] != mean.shape[-2:] for part in seen):
        log.warning("There was too little memory to encode the picture whole: the posterior's mean is used.")
        return mean
    posterior = DiagonalGaussianDistribution(torch.cat(seen).to(mean))
    drawn = shared_noise(tuple(mean.shape[1:]), 2 * count, seed)[count:]  # the looks add the first half of it
    return posterior.mean + posterior.std * drawn[:, None].to(mean)
