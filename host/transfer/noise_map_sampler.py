"""Resume from an inversion: a SAMPLER that replays its noise maps, on its own schedule."""

from collections.abc import Callable
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ...inversion.levels import latent_at
from ...inversion.replay import replay
from ...inversion.types import Inversion
from ..models.schedules import sigmas_tensor
from ..runtime.latents import without_frame
from .adain_operation import AdaINOperation
from .model_patch import current_sessions
from .no_effect import warn_of_resumed

# (x, denoised, i) -> what step i starts from in their place
BeforeStep = Callable[[Tensor, Tensor, int], tuple[Tensor, Tensor]]

# A LATENT_OPERATION: operation(latent=..., **about_the_step) -> latent
LatentOperation = Callable[..., Tensor]

RESUME = "Resume from Inversion"


class NoiseMapSampler(comfy.samplers.Sampler):
    """Moves the latent by the inversion's own steps: denoised, direction, and the recorded noise map (none for DDIM).

    between_steps, if given, is applied to the latent after each step. It is told `sigma`, the noise level that the step
    began at, `percent_to_sigma` of the model, and `latent_of`, which finds another inversion's latent at the noise
    level that the step has led to.
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
        if isinstance(self.between_steps, AdaINOperation):
            self.between_steps.check_fits(latent_image.shape)
            self.between_steps.warn_if_never(inversion.schedule.sigmas, percent_to_sigma)
        model_options = extra_args["model_options"]
        warn_of_resumed(inversion, guider.conds, current_sessions(model_options), self.node)

        def denoise(x: Tensor, sigma: Tensor) -> Tensor:
            x = x.unsqueeze(2) if has_frame else x
            return without_frame(guider(x, sigma, model_options=model_options, seed=extra_args["seed"]))

        def after_step(x: Tensor, i: int) -> Tensor:
            level = i + 1
            standing = inversion.schedule.sigmas[level]
            if self.between_steps is not None:
                x = self.between_steps(
                    latent=x,
                    sigma=inversion.schedule.sigmas[i],
                    percent_to_sigma=percent_to_sigma,
                    latent_of=lambda other: _latent_of(other, standing, model_options),
                )
            if denoise_mask is not None:
                mask = _mask_of_step(denoise_mask, guider, sigmas, i, model_options)
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


def _mask_of_step(mask: Tensor, guider: Any, sigmas: Tensor, i: int, model_options: dict[str, Any]) -> Tensor:
    """The noise mask [B, C, h, w] as a node before says it is for step i (Differential Diffusion)."""
    change = model_options.get("denoise_mask_function")
    if change is None:
        return mask
    return change(sigmas[i].expand(len(mask)), mask, extra_options={"model": guider, "sigmas": sigmas})


def batched(images: Tensor, like: Tensor) -> Tensor:
    """[..., b, C, h, w] of an inversion -> one row per row of `like` [B, C, h, w], on its device."""
    return images.to(like).repeat(*(1,) * (images.ndim - 4), like.shape[0] // images.shape[-4], 1, 1, 1)


def _latent_of(inversion: Inversion, sigma: float, model_options: dict[str, Any]) -> Tensor:
    """An inversion's latent at a noise level of this run: where its replayed reference stands, else as recorded, or
    noised anew where it was not recorded."""
    for run in current_sessions(model_options):
        replayed = run.latent_of(inversion, sigma)
        if replayed is not None:
            return replayed
    return latent_at(inversion, sigma)
