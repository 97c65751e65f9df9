"""From what a user connects, an image or a LATENT, to the latents that a model looks at."""

import logging
from typing import Any

import torch
from comfy.ldm.models.autoencoder import DiagonalGaussianRegularizer
from comfy.ldm.modules.distributions.distributions import DiagonalGaussianDistribution
from torch import Tensor

from ...correspondence.dift import shared_noise

log = logging.getLogger("appearance_transfer")


def image_or_latent(
    image: Tensor | None, vae: Any, latent: dict[str, Any] | None, samples: int, seed: int
) -> tuple[Tensor, tuple[int, int] | None]:
    """(latent, size of the image), by whichever of IMAGE with VAE or LATENT is connected.

    image: [B, H, W, 3 or 4] in 0..1. samples: how many to draw from the VAE's posterior of an image; 0 takes its mean.

    Returns [B, C, h, w] (with an axis of one frame where the VAE is of a video model) or, of samples,
    [samples, B, C, h, w], in the VAE's scale; and (H, W), None for a LATENT.
    Raises ValueError where nothing or too much is connected.
    """
    if (image is None) == (latent is None):
        found = "Nothing to look at is connected" if image is None else "Both an image and a latent are connected"
        raise ValueError(f"{found}. Connect either image and vae, or latent.")
    if latent is not None:
        return latent["samples"], None
    if vae is None:
        raise ValueError("An image is connected without a VAE to encode it. Connect vae, or a latent instead.")
    size = (image.shape[1], image.shape[2])
    images = image[..., :3]
    return posterior_samples(vae, images, samples, seed) if samples else encoded(vae, images), size


def decoded(vae: Any, samples: Tensor) -> Tensor:
    """The images [B, H, W, 3] of the samples of a LATENT; those of a video model are one frame each."""
    images = vae.decode(samples)
    return images.flatten(0, 1) if images.ndim == 5 else images


def encoded(vae: Any, images: Tensor) -> Tensor:
    """The latents of images [B, H, W, 3]; one by one where the VAE would take a batch for the frames of a video."""
    if len(images) > 1 and vae.latent_dim == 3 and not vae.not_video:
        return torch.cat([vae.encode(image[None]) for image in images])
    return vae.encode(images)


def posterior_samples(vae: Any, images: Tensor, count: int, seed: int) -> Tensor:
    """`count` samples of every image's posterior, [count, B, C, h, w] in the VAE's scale; the encoder runs once.

    images: [B, H, W, 3] in 0..1; those of a size share the noise that is drawn.

    A VAE without a posterior (TAESD) has one latent per image, which is returned as it is, [B, C, h, w] (with an axis
    of one frame where it is of a video model). So is the mean, with a warning, where ComfyUI had to encode in tiles.
    """
    regularizer = getattr(vae.first_stage_model, "regularization", None)
    if not isinstance(regularizer, DiagonalGaussianRegularizer):
        return encoded(vae, images)
    seen: list[Tensor] = []
    hook = regularizer.register_forward_hook(lambda module, inputs, output: seen.append(inputs[0]))
    try:
        mean = vae.encode(images)
    finally:
        hook.remove()
    if sum(map(len, seen)) != len(mean) or any(part.shape[-2:] != mean.shape[-2:] for part in seen):
        log.warning("There was too little memory to encode the image whole: the posterior's mean is used.")
        return mean
    posterior = DiagonalGaussianDistribution(torch.cat(seen).to(mean))
    drawn = shared_noise(tuple(mean.shape[1:]), 2 * count, seed)[count:]  # the looks add the first half of it
    return posterior.mean + posterior.std * drawn[:, None].to(mean)
