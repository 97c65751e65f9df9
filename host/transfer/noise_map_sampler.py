"""Resume from an inversion: a SAMPLER that replays its noise maps, on its own schedule."""

from collections.abc import Callable
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...inversion.replay import replay
from ...inversion.types import Inversion
from ..models.schedules import sigmas_tensor
from ..runtime.latents import without_frame
from .between_steps import LatentOperation, check_operation, mask_of_step, operated
from .model_patch import current_sessions
from .no_effect import warn_of_resumed

# (x, denoised, i) -> what step i starts from in their place
BeforeStep = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]

RESUME = "Resume from Inversion"


class NoiseMapSampler(comfy.samplers.Sampler):
    """Moves the latent by the inversion's own steps: denoised, direction, and the recorded noise map (none for DDIM).

    between_steps, if given, is applied to the latent after each step (see between_steps.py).
    """

    def __init__(self, inversion: Inversion, between_steps: LatentOperation | None = None, node: str = RESUME):
        """node: that the user has it from, for what is said of it."""
        inversion.check_replayable()
        self.inversion = inversion
        self.between_steps = between_steps
        self.node = node

    def sample(
        self, guider, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        inversion = self.inversion
        self._check(sigmas, latent_image)
        has_frame = latent_image.ndim == 5
        latent_image = without_frame(latent_image)
        denoise_mask = None if denoise_mask is None else without_frame(denoise_mask)
        percent_to_sigma = guider.model_patcher.get_model_object("model_sampling").percent_to_sigma
        check_operation(self.between_steps, latent_image.shape, inversion.schedule.sigmas, percent_to_sigma)
        model_options = extra_args["model_options"]
        warn_of_resumed(inversion, guider.conds, current_sessions(model_options), self.node)

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            x = x.unsqueeze(2) if has_frame else x
            return without_frame(guider(x, sigma, model_options=model_options, seed=extra_args["seed"]))

        def after_step(x: Tensor, i: int) -> Tensor:
            level = i + 1
            levels = inversion.schedule.sigmas[i], inversion.schedule.sigmas[level]
            x = operated(self.between_steps, x, levels, percent_to_sigma, model_options)
            if denoise_mask is not None:
                mask = mask_of_step(denoise_mask, guider, sigmas, i, model_options)
                x = x * mask + batched(inversion.trajectory[level], x) * (1 - mask)
            return x

        def on_step(i: int, total: int, denoised: Tensor) -> None:
            if callback is not None:
                callback(i, denoised, denoised, total)

        noise_maps = batched(inversion.noise_maps, latent_image) if inversion.eta else None
        x = replay(
            denoise,
            latent_image,
            inversion.schedule,
            noise_maps,
            inversion.eta,
            before_step=self.before_steps(guider, latent_image, extra_args),
            after_step=after_step,
            on_step=on_step,
        )
        return x.unsqueeze(2) if has_frame else x

    def before_steps(self, guider: Any, latent: Tensor, extra_args: dict[str, Any]) -> BeforeStep | None:
        """For samplers that bend the estimate before each step: a function that serves one run from `latent`."""
        return None

    def _check(self, sigmas: Tensor, latent: Tensor) -> None:
        inversion = self.inversion
        expected = sigmas_tensor(inversion.schedule)
        if sigmas.shape != expected.shape or not torch.allclose(sigmas.cpu().float(), expected, rtol=1e-3, atol=1e-6):
            raise ValueError(
                f"The SIGMAS have {len(sigmas) - 1} steps and the inversion {len(expected) - 1}, or other levels. "
                "Connect the SIGMAS output of the same Resume from Inversion node."
            )
        if tuple(latent.shape[-2:]) != tuple(inversion.size) or latent.shape[0] % inversion.images:
            raise ValueError(
                f"The latent is {tuple(latent.shape)} and the inversion holds {inversion.images} image(s) of "
                f"{inversion.extent}. "
                "Connect the LATENT output of the same Resume from Inversion node."
            )


def batched(images: Tensor, like: Tensor) -> Tensor:
    """[..., b, C, h, w] of an inversion -> one row per row of `like` [B, C, h, w], on its device."""
    return images.to(like).repeat(*(1,) * (images.ndim - 4), like.shape[0] // images.shape[-4], 1, 1, 1)
