"""Invert images and replay inversions with a MODEL of ComfyUI."""

import logging
from functools import partial
from typing import Literal

from comfy.model_patcher import ModelPatcher
from comfy.samplers import CFGGuider
from torch import Tensor

from ...inversion.conditioning import Entry
from ...inversion.ddim import invert_ddim, invert_ddim_reference
from ...inversion.ddpm import invert_ddpm
from ...inversion.regularize import Regularization, regularizer
from ...inversion.replay import replay
from ...inversion.schedule import Schedule
from ...inversion.settings import DDIMSettings, DDPMSettings, Solver, Timesteps
from ...inversion.types import Inversion
from ...inversion.uni_inv import check_flow, invert_uni_inv
from ..models.conditioning import check_packed, pack, unpack
from ..models.fingerprint import check_model, fingerprint
from ..models.plain_model import check_plain
from ..models.pocket_advice import tell_if_far
from ..models.schedules import sigmas_one_timestep_below, sigmas_tensor
from ..runtime.forward_size import batches_per_forward
from ..runtime.latents import image_latents, in_vae_scale
from ..runtime.model_runner import Denoise, preview_callback, run_guider, run_with_model, stock_guider, to_intermediate
from ..runtime.progress_text import format_mib
from .null_text_guider import NullTextGuider

log = logging.getLogger("appearance_transfer")


def invert_with_ddpm(
    model: ModelPatcher,
    latent: Tensor,
    positive: list,
    negative: list,
    schedule: Schedule,
    *,
    guidance: float = DDPMSettings.guidance,
    eta: float = DDPMSettings.eta,
    seed: int = DDPMSettings.seed,
    keep_last_noise: bool | None = DDPMSettings.keep_last_noise,
    levels_per_forward: int = DDPMSettings.levels_per_forward,
    prompts: tuple[str, ...] = (),
    thumbnail: Tensor | None = None,
) -> Inversion:
    """Edit-friendly DDPM inversion of a batch of images. latent: [B, C, h, w], the samples of a LATENT.

    levels_per_forward: noise levels that share a forward; 0 is as many as fit into memory, and one on a CPU.
    prompts: the words of the positive text, to be kept; one for all images or one for each, or none.
    keep_last_noise: of the step into the finished image; None keeps it on flow models alone, whose last level is so
        noisy that the detail below it would be lost, and zeroes it elsewhere, as the paper does.

    Raises ValueError, before the model runs, for latents and texts that an inversion cannot keep and for a model that
    carries a transfer; and for a model that answers with NaN.
    """
    check_plain(model)
    texts = kept_texts(latent, positive, negative)
    tell_if_far(model, latent)
    keep_last_noise = schedule.flow if keep_last_noise is None else keep_last_noise
    _say_cost(latent, schedule.steps, guidance, latents_kept=2 * schedule.steps + 1)
    on_step = preview_callback(model, schedule.steps)

    def body(denoise: Denoise, x0: Tensor) -> tuple[Tensor, Tensor]:
        levels = levels_per_forward or batches_per_forward(model.model, x0.device, x0.shape, schedule.steps)
        return invert_ddpm(
            denoise, x0, schedule, eta=eta, seed=seed, keep_last_noise=keep_last_noise,
            levels_per_call=levels, on_step=on_step,
        )  # fmt: skip

    trajectory, noise_maps = run_with_model(
        model,
        latent,
        body,
        positive=positive,
        negative=negative,
        guidance=guidance,
        sigmas=sigmas_tensor(schedule),
        seed=seed,
    )
    return _finite(
        Inversion(
            trajectory=to_intermediate(trajectory),
            noise_maps=to_intermediate(noise_maps),
            schedule=schedule,
            eta=eta,
            guidance=guidance,
            seed=seed,
            method="ddpm",
            fingerprint=fingerprint(model),
            conditioning=texts,
            prompts=prompts,
            thumbnail=thumbnail,
        )
    )


def invert_with_ddim(
    model: ModelPatcher,
    latent: Tensor,
    positive: list,
    negative: list,
    schedule: Schedule,
    *,
    guidance: float = DDIMSettings.guidance,
    solver: Solver = DDIMSettings.solver,
    timesteps: Timesteps = DDIMSettings.timesteps,
    regularization: Regularization | None = None,
    prompts: tuple[str, ...] = (),
    thumbnail: Tensor | None = None,
) -> Inversion:
    """DDIM or Uni-Inv inversion of a batch of images: the latents alone, without noise maps.

    timesteps: "consistent" visits every level that sampling will; "reference" is pix2pix-zero's reference code.

    Raises ValueError as `invert_with_ddpm`, and for a schedule that does not go with the solver or the timesteps.
    """
    method: Literal["ddim", "uni-inv"] = ("uni-inv" if schedule.flow else "ddim") if solver == "auto" else solver
    if method == "uni-inv":
        check_flow(schedule)
    check_plain(model)
    texts = kept_texts(latent, positive, negative)
    tell_if_far(model, latent)
    walk = invert_ddim if method == "ddim" else invert_uni_inv
    if timesteps == "reference":
        walk = partial(invert_ddim_reference, standing=sigmas_one_timestep_below(model, schedule))
    left_out = 2 if timesteps == "reference" else 0
    _say_cost(latent, schedule.steps - left_out, guidance, latents_kept=schedule.steps + 1)
    on_step = preview_callback(model, schedule.steps)

    def body(denoise: Denoise, x0: Tensor) -> Tensor:
        move = None if regularization is None else regularizer(regularization)
        return walk(denoise, x0, schedule, regularizer=move, on_step=on_step)

    trajectory = run_with_model(
        model, latent, body, positive=positive, negative=negative, guidance=guidance, sigmas=sigmas_tensor(schedule)
    )
    return _finite(
        Inversion(
            trajectory=to_intermediate(trajectory),
            noise_maps=trajectory.new_zeros(0, device="cpu"),
            schedule=schedule,
            eta=0.0,
            guidance=guidance,
            seed=0 if regularization is None else regularization.seed,
            method=method,
            fingerprint=fingerprint(model),
            conditioning=texts,
            prompts=prompts,
            thumbnail=thumbnail,
        )
    )


def kept_texts(latent: Tensor, positive: list, negative: list) -> dict[str, Entry]:
    """The texts as an inversion of latents [B, C, h, w] keeps them.

    Raises ValueError for latents of videos, and for texts that an inversion cannot keep (conditioning.py).
    """
    texts = pack(positive, negative)
    check_packed(texts, len(image_latents(latent)))
    return texts


def _finite(inversion: Inversion) -> Inversion:
    if not inversion.is_finite():
        raise ValueError(
            "The inversion holds NaN or infinite numbers: the model overflowed, or what it was given is no image. "
            "Look at the image and the text, or load the checkpoint in a higher precision."
        )
    return inversion


def _say_cost(latent: Tensor, steps: int, guidance: float, latents_kept: int) -> None:
    """The cost of inverting latents [B, C, h, w], before it begins."""
    images = latent.shape[0]
    log.info(
        "%d image(s) in %d steps: %d evaluations of the model; %s of latents are kept.",
        images,
        steps,
        _evaluations(images, steps, guidance),
        format_mib(latents_kept * latent.numel() * latent.element_size()),
    )


def _evaluations(images: int, steps: int, guidance: float) -> int:
    """Samples through the network: every image at every step, twice with text guidance."""
    return images * steps * (1 if guidance == 1.0 else 2)


def reconstruct(model: ModelPatcher, inversion: Inversion) -> Tensor:
    """Replay an inversion under the prompt and guidance it was made with; the samples of a LATENT.

    A null-text inversion is replayed with its embeddings.
    How near this comes to the image is what the inversion is worth. Raises ValueError for a model of another kind, or
    one that carries a transfer.
    """
    check_plain(model)
    inversion.check_replayable()
    check_model(inversion.fingerprint, model)
    evaluations = _evaluations(inversion.images, inversion.steps, inversion.guidance)
    log.info("Replayed to see how near it comes to the image: %d evaluations of the model.", evaluations)
    on_step = preview_callback(model, inversion.schedule.steps)

    def body(denoise: Denoise, x0: Tensor) -> Tensor:
        device = x0.device
        return replay(
            denoise,
            inversion.start.to(device),
            inversion.schedule,
            inversion.noise_maps.to(device) if inversion.eta else None,
            inversion.eta,
            on_step=on_step,
        )

    latent_format = model.get_model_object("latent_format")
    positive = unpack(inversion.conditioning, "positive")
    if inversion.null_text_steps:
        guider: CFGGuider = NullTextGuider(model, positive, inversion, inversion.guidance)
    else:
        guider = stock_guider(model, positive, unpack(inversion.conditioning, "negative"), inversion.guidance)
    x0 = run_guider(
        guider,
        in_vae_scale(inversion.x0, latent_format),
        body,
        sigmas=sigmas_tensor(inversion.schedule),
        seed=inversion.seed,
    )
    return to_intermediate(in_vae_scale(x0, latent_format))
