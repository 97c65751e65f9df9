"""From an inversion and a guider to images. Imports ComfyUI's modules, so import it after ComfyUI has started."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from ...host.models.schedules import sigmas_tensor
from ...host.transfer.between_steps import LatentOperation
from ...host.transfer.noise_map_sampler import NoiseMapSampler
from ...inversion.types import Inversion
from .inverted import Models


def resume(models: Models, structure: Inversion, guider: Any, between_steps: LatentOperation | None = None) -> Tensor:
    """The images [B, H, W, 3] that Resume from Inversion leads to."""
    return sample(models, structure, guider, NoiseMapSampler(structure, between_steps))


def sample(models: Models, structure: Inversion, guider: Any, sampler: Any) -> Tensor:
    """The same by a sampler of one's own."""
    return models.decode(sampled_latents(models.model, structure, guider, sampler))


def sampled_latents(model: Any, structure: Inversion, guider: Any, sampler: Any) -> Tensor:
    """The same before they are decoded: [B, C, h, w] in the VAE's scale."""
    start = model.get_model_object("latent_format").process_out(structure.start)
    sigmas = sigmas_tensor(structure.schedule)
    return guider.sample(torch.zeros_like(start), start, sampler, sigmas, disable_pbar=True)
