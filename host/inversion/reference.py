"""An image to read from: noised to every level of a schedule, without running the network."""

import logging

import comfy.model_management
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...inversion.ddpm import noise_image
from ...inversion.schedule import Schedule
from ...inversion.settings import DDPMSettings
from ...inversion.types import Inversion
from ..models.fingerprint import fingerprint
from ..models.pocket_advice import tell_if_far
from ..runtime.latents import in_model_scale
from ..runtime.model_runner import to_intermediate
from .ddpm_and_ddim import kept_texts

log = logging.getLogger("appearance_transfer")


def noised_reference(
    model: ModelPatcher,
    latent: Tensor,
    positive: list,
    negative: list,
    schedule: Schedule,
    *,
    seed: int = DDPMSettings.seed,
    prompts: tuple[str, ...] = (),
    thumbnail: Tensor | None = None,
) -> Inversion:
    """A batch of images at every level of a schedule. latent: [B, C, h, w], the samples of a LATENT.

    The trajectory that Invert Image has for the same image, schedule and seed, bit by bit, and no noise maps.

    Raises ValueError for latents and texts that an inversion cannot keep.
    """
    conditioning = kept_texts(latent, positive, negative)
    tell_if_far(model, latent)
    latent_format = model.get_model_object("latent_format")
    x0 = in_model_scale(latent.to(comfy.model_management.get_torch_device(), torch.float32), latent_format)
    trajectory = noise_image(x0, schedule, seed=seed)
    log.info("%d image(s) noised to %d levels: no evaluations of the model.", len(x0), schedule.steps)
    return Inversion(
        trajectory=to_intermediate(trajectory),
        noise_maps=to_intermediate(trajectory.new_zeros(0)),
        schedule=schedule,
        eta=0.0,
        guidance=1.0,
        seed=seed,
        method="noised",
        fingerprint=fingerprint(model),
        conditioning=conditioning,
        prompts=prompts,
        thumbnail=thumbnail,
    )
