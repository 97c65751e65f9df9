"""Latents of images between ComfyUI's forms and ours, [B, C, h, w].

Models with the autoencoder of a video model (Qwen-Image, Krea 2) have an axis of frames, of which an image is one.
"""

import comfy.latent_formats
from torch import Tensor


def image_latents(samples: Tensor) -> Tensor:
    """The samples of a LATENT as [B, C, h, w]. Raises ValueError for a video."""
    if samples.ndim == 5 and samples.shape[2] == 1:
        return samples[:, :, 0]
    if samples.ndim != 4:
        raise ValueError(
            f"The latent has the shape {list(samples.shape)}; only those of images [B, C, h, w] can be inverted, not "
            "of videos. Use a checkpoint of an image model and its VAE; where that VAE is of a video model, encode one "
            "image at a time, since it takes a batch for a video."
        )
    return samples


def check_channels(latent: Tensor, latent_format: comfy.latent_formats.LatentFormat) -> None:
    """Raises ValueError for latents [..., B, C, h, w] with other channels than a MODEL takes."""
    if latent.ndim not in (4, 5) or latent.shape[-3] != latent_format.latent_channels:
        raise ValueError(
            f"The latent has the shape {list(latent.shape)}, but this MODEL takes images of "
            f"{latent_format.latent_channels} latent channels. Encode the image with the VAE of this checkpoint."
        )


def framed(x: Tensor, latent_format: comfy.latent_formats.LatentFormat) -> Tensor:
    """Latents of images as the model and its VAE take them: with an axis of one frame where they have one."""
    x = without_frame(x)
    return x.unsqueeze(2) if latent_format.latent_dimensions == 3 else x


def without_frame(x: Tensor) -> Tensor:
    """[B, C, 1, h, w] or [B, C, h, w] -> [B, C, h, w]"""
    return x[:, :, 0] if x.ndim == 5 else x


def in_model_scale(x: Tensor, latent_format: comfy.latent_formats.LatentFormat) -> Tensor:
    """Latents of a VAE in the scale of the model, [B, C, h, w]."""
    return without_frame(latent_format.process_in(framed(x, latent_format)))


def in_vae_scale(x: Tensor, latent_format: comfy.latent_formats.LatentFormat) -> Tensor:
    """Latents [B, C, h, w] of the model in the scale and the form of its VAE: the samples of a LATENT."""
    return latent_format.process_out(framed(x, latent_format))
