"""The one way to run a model outside of a sampler node: a Sampler object that lends its denoiser to a function.

ComfyUI prepares devices, memory, conditionings and hooks only around `guider.sample`, so everything that needs the
model (inversion, capture, replay) is a function of `(denoise, x0)` run inside such a container.
"""

from collections.abc import Callable
from typing import Any

import comfy.model_management
import comfy.samplers
import latent_preview
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from .latents import framed

Denoise = Callable[[Tensor, Tensor], Tensor]


class FunctionSampler(comfy.samplers.Sampler):
    """Calls `body(denoise, latent)` in place of a sampling loop; the latent: model's scale and device, fp32.

    An axis of one frame, which models with a video autoencoder have, is taken out for the body: [B, C, h, w].
    """

    def __init__(self, body: Callable[[Denoise, Tensor], Any]):
        self.body = body
        self.result: Any = None

    def sample(
        self, guider, sigmas, extra_args, callback, noise, latent_image=None, denoise_mask=None, disable_pbar=False
    ):
        has_frame = latent_image.ndim == 5

        def denoise(x: Tensor, sigma: Tensor | float) -> Tensor:
            sigma = torch.as_tensor(sigma, dtype=x.dtype, device=x.device).expand(x.shape[0])
            x = x.unsqueeze(2) if has_frame else x
            denoised = guider(x, sigma, model_options=extra_args["model_options"], seed=extra_args["seed"])
            return denoised[:, :, 0] if has_frame else denoised

        self.result = self.body(denoise, latent_image[:, :, 0] if has_frame else latent_image)
        return latent_image


def run_with_model(
    model: ModelPatcher,
    latent: Tensor,
    body: Callable[[Denoise, Tensor], Any],
    *,
    positive: list,
    negative: list,
    guidance: float,
    sigmas: Tensor,
    seed: int = 0,
) -> Any:
    """Run `body(denoise, x0)` with the model loaded and return its result.

    latent: [B, C, h, w] or [B, C, 1, h, w] as in a LATENT (the VAE's scale). denoise(x, sigma) takes any number of rows
    [n, C, h, w] that is a multiple of B, with one sigma or one per row, and applies classifier-free guidance at
    `guidance` (1 = conditional only).
    """
    return run_guider(stock_guider(model, positive, negative, guidance), latent, body, sigmas=sigmas, seed=seed)


def stock_guider(model: ModelPatcher, positive: list, negative: list, guidance: float) -> comfy.samplers.CFGGuider:
    """Classifier-free guidance as ComfyUI does it; 1 = conditional only."""
    guider = comfy.samplers.CFGGuider(model)
    guider.set_conds(positive, negative)
    guider.set_cfg(guidance)
    return guider


def run_guider(
    guider: comfy.samplers.CFGGuider,
    latent: Tensor,
    body: Callable[[Denoise, Tensor], Any],
    *,
    sigmas: Tensor,
    seed: int = 0,
) -> Any:
    """`run_with_model` with a guider of one's own: denoise(x, sigma) is what it predicts."""
    container = FunctionSampler(body)
    latent = framed(latent, guider.model_patcher.get_model_object("latent_format"))
    guider.sample(torch.zeros_like(latent), latent, container, sigmas, disable_pbar=True, seed=seed)
    return container.result


def preview_callback(model: ModelPatcher, steps: int) -> Callable[[int, int, Tensor], None]:
    """A callback (i, total, denoised) that moves the node's progress bar and shows the first image of `denoised`."""
    show = latent_preview.prepare_callback(model, steps)

    def on_step(i: int, total: int, denoised: Tensor) -> None:
        show(i, denoised, denoised, total)

    return on_step


def to_intermediate(x: Tensor) -> Tensor:
    """Where results of a node live (the CPU, unless ComfyUI was started otherwise)."""
    return x.to(comfy.model_management.intermediate_device())
