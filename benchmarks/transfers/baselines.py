"""What a transfer has to beat: nothing, the autoencoder alone, color statistics, and plain image-to-image.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

import comfy.sample
import torch
from comfy_extras.nodes_post_processing import ColorTransfer
from torch import Tensor

from ...host.models.schedules import schedule_of, sigmas_tensor
from ...inversion.defaults import PAPER_START_AT, PAPER_STEPS
from ...inversion.schedule import Schedule
from .inverted import InvertedPairs, Models

IMG2IMG_SEED = 42
TEXT_GUIDANCE = 3.5  # as the inversions
HALF = PAPER_STEPS // 2


def color_transfer(models: Models, pairs: InvertedPairs, method: str) -> Tensor:
    """ComfyUI's node Transfer Color on the whole images: "reinhard_lab" (mean and spread of each Lab channel),
    "mkl_lab" (their covariance) or "histogram", pair by pair.
    """
    structure, appearance = pairs.truth.structure.image, pairs.truth.appearance.image
    return ColorTransfer.execute(structure, appearance, method, {"source_stats": "per_frame"})[0]


def image_to_image(models: Models, pairs: InvertedPairs) -> Tensor:
    """What a stock KSampler (euler) makes of the structure image under the appearance's full caption.

    It starts from fresh noise where the paper's transfer starts (denoise 0.68) and takes its 68 steps.
    """
    schedule = schedule_of(models.model, steps=PAPER_STEPS, start_at=PAPER_START_AT)
    return _under_captions(models, pairs, schedule, "euler")


def sdedit(models: Models, pairs: InvertedPairs) -> Tensor:
    """SDEdit (Meng et al., ICLR 2022, arXiv 2108.01073): half of the noise, then the reverse SDE (euler_ancestral)."""
    return _under_captions(
        models, pairs, schedule_of(models.model, steps=PAPER_STEPS, start_at=HALF), "euler_ancestral"
    )


def _under_captions(models: Models, pairs: InvertedPairs, schedule: Schedule, sampler: str) -> Tensor:
    latent = models.model.get_model_object("latent_format").process_out(pairs.structure.x0)
    return from_noise(models, latent, schedule, pairs.truth.appearance_captions, TEXT_GUIDANCE, sampler)


def from_noise(
    models: Models, latent: Tensor, schedule: Schedule, captions: list[str], guidance: float, sampler: str = "euler"
) -> Tensor:
    """The images [B, H, W, 3] that a sampler finds under the captions, from latents [B, 4, h, w] in fresh noise."""
    noise = torch.randn(latent.shape, generator=torch.Generator().manual_seed(IMG2IMG_SEED))
    sampled = comfy.sample.sample(
        models.model,
        noise,
        schedule.steps,
        guidance,
        sampler,
        "normal",
        models.conditioning(captions),
        models.conditioning([""]),
        latent,
        sigmas=sigmas_tensor(schedule),
        disable_pbar=True,
        seed=IMG2IMG_SEED,
    )
    return models.decode(sampled)
