"""What a transfer has to beat: nothing, the autoencoder alone, colour statistics, and plain image-to-image.

Imports the host's modules, so import it after the host has started.
"""

from __future__ import annotations

import comfy.sample
import kornia
import torch
from torch import Tensor

from ...host.schedules import sigmas_tensor
from ...inversion.schedule import Schedule
from .inverted import InvertedPairs, Models

IMG2IMG_SEED = 42
TEXT_GUIDANCE = 3.5  # as the inversions


def colour_transfer(structure: Tensor, appearance: Tensor) -> Tensor:
    """Mean and standard deviation of each Lab channel of the whole picture (Reinhard et al. 2001, in CIE Lab).

    Both [B, H, W, 3] in 0..1.
    """
    ours, wanted = (kornia.color.rgb_to_lab(image.permute(0, 3, 1, 2)) for image in (structure, appearance))
    over = {"dim": (-2, -1), "keepdim": True}
    moved = (ours - ours.mean(**over)) / ours.std(**over).clamp(min=1e-5) * wanted.std(**over) + wanted.mean(**over)
    return kornia.color.lab_to_rgb(moved).clamp(0.0, 1.0).permute(0, 2, 3, 1)


def image_to_image(models: Models, pairs: InvertedPairs) -> Tensor:
    """What a stock KSampler (euler) makes of the structure picture under the appearance's full caption.

    It starts from fresh noise at the level at which ours starts (denoise 0.68) and takes the same steps.
    """
    latent = models.model.get_model_object("latent_format").process_out(pairs.structure.x0)
    return from_noise(models, latent, pairs.structure.schedule, pairs.truth.appearance_captions, TEXT_GUIDANCE)


def from_noise(models: Models, latent: Tensor, schedule: Schedule, captions: list[str], guidance: float) -> Tensor:
    """The pictures [B, H, W, 3] that euler steps find under the captions, from latents [B, 4, h, w] in fresh noise."""
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(IMG2IMG_SEED))
    sampled = comfy.sample.sample(
        models.model,
        noise,
        schedule.steps,
        guidance,
        "euler",
        "normal",
        models.conditioning(captions),
        models.conditioning([""]),
        latent,
        sigmas=sigmas_tensor(schedule),
        disable_pbar=True,
        seed=IMG2IMG_SEED,
    )
    return models.decode(sampled)
