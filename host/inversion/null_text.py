"""Null-text inversion with a MODEL of ComfyUI: DDIM inversion, then an unconditional embedding for every step."""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...inversion.conditioning import Entry, tensors_of
from ...inversion.null_text import NullTextSettings, NullTextStep, check_null_text, null_text_steps
from ...inversion.schedule import Schedule
from ...inversion.types import Inversion
from ..models.architecture import is_unet, network_of
from ..models.conditioning import pack, unpack
from ..models.fingerprint import check_model
from ..models.plain_model import check_plain
from ..models.schedules import sigmas_tensor
from ..runtime.gradients import autograd_inside, differentiable
from ..runtime.model_runner import Denoise, preview_callback, run_guider, to_intermediate
from ..runtime.supported import SUPPORTED
from .ddpm_and_ddim import invert_with_ddim
from .null_text_guider import with_embedding

log = logging.getLogger("appearance_transfer")


def invert_with_null_text(
    model: ModelPatcher,
    latent: Tensor,
    positive: list,
    negative: list,
    schedule: Schedule,
    settings: NullTextSettings,
    *,
    continue_from: Inversion | None = None,
    keep_unfinished: Callable[[Inversion], None] | None = None,
    prompts: tuple[str, ...] = (),
    thumbnail: Tensor | None = None,
) -> Inversion:
    """Null-text inversion of a batch of images. latent: [B, C, h, w], the samples of a LATENT.

    continue_from: what `keep_unfinished` was given by an interrupted call with the same inputs; its steps are taken
        over. keep_unfinished: called with the finished steps, if any, when the optimization ends early for any reason.

    Raises ValueError for quantized weights, a model that carries a transfer, settings that cannot be optimized, or a
    continue_from of other inputs.
    """
    check_null_text(schedule, settings)
    check_plain(model)
    if not is_unet(network_of(model)):
        raise ValueError(
            "Null-Text Inversion learns embeddings through the network, which works with U-Nets alone: "
            f"{SUPPORTED}. Use Invert Image with this MODEL; it is exact, too."
        )
    trainable = differentiable(model)
    if continue_from is None:
        about = {"prompts": prompts, "thumbnail": thumbnail}
        ddim = invert_with_ddim(trainable, latent, positive, negative, schedule, **about)
        unfinished = replace(ddim, guidance=settings.guidance)
    else:
        _check_same_task(continue_from, model, latent, pack(positive, negative), schedule, settings)
        unfinished = continue_from
    found: list[NullTextStep] = []
    try:
        if unfinished.null_text_steps < unfinished.steps:
            _optimize(trainable, unfinished, settings, found)
    finally:
        if found:
            unfinished = _with_steps(unfinished, found)
        if found and keep_unfinished is not None and unfinished.null_text_steps < unfinished.steps:
            keep_unfinished(unfinished)
    return unfinished


class _OneSideGuider(comfy.samplers.CFGGuider):
    """Predicts the conditional side, or, where an embedding [B, T, C] is set, the unconditional side under it."""

    embedding: Tensor | None = None

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] = {},  # noqa: B006 (ComfyUI's signature)
        seed: Any = None,
    ) -> Tensor:
        sides: list[list | None] = [self.conds["positive"], None]
        if self.embedding is not None:
            sides = [None, with_embedding(self.conds["negative"], self.embedding)]
        outputs = comfy.samplers.calc_cond_batch(self.inner_model, sides, x, timestep, model_options)
        return outputs[0] if self.embedding is None else outputs[1]


def _optimize(
    trainable: ModelPatcher, inversion: Inversion, settings: NullTextSettings, found: list[NullTextStep]
) -> None:
    """Append the missing steps to `found` one by one, so that those found survive an interruption."""
    _say_cost(inversion, settings)
    guider = _OneSideGuider(trainable)
    guider.set_conds(unpack(inversion.conditioning, "positive"), unpack(inversion.conditioning, "negative"))
    on_step = preview_callback(trainable, inversion.steps)

    def body(denoise: Denoise, x0: Tensor) -> None:
        def conditional(x: Tensor, sigma: Tensor) -> Tensor:
            guider.embedding = None
            return denoise(x, sigma)

        def unconditional(x: Tensor, sigma: Tensor, embedding: Tensor) -> Tensor:
            guider.embedding = embedding
            return denoise(x, sigma)

        with autograd_inside(guider.inner_model):
            done = inversion.null_text_steps
            steps = null_text_steps(
                conditional,
                unconditional,
                _normal(inversion.trajectory, x0),
                inversion.schedule,
                _normal(inversion.embedding("negative"), x0),
                settings,
                found=None if inversion.null_text is None else _normal(inversion.null_text, x0),
            )
            for i, step in enumerate(steps, start=done):
                found.append(step)
                on_step(i, inversion.steps, step.denoised)

    latent_format = trainable.get_model_object("latent_format")
    run_guider(guider, latent_format.process_out(inversion.x0), body, sigmas=sigmas_tensor(inversion.schedule))


def _say_cost(inversion: Inversion, settings: NullTextSettings) -> None:
    """The cost before it begins; steps that are known already are only walked."""
    missing = inversion.steps - inversion.null_text_steps
    trained = inversion.images * missing * settings.updates
    log.info(
        "Null-text optimization of %d step(s): up to %d evaluations of the model, up to %d of them with gradients.",
        missing,
        trained + inversion.images * inversion.steps * 2,
        trained,
    )


def _normal(x: Tensor, like: Tensor) -> Tensor:
    """A copy that autograd may keep, on the device of the run."""
    return x.to(device=like.device, dtype=torch.float32, copy=True)


def _with_steps(inversion: Inversion, found: list[NullTextStep]) -> Inversion:
    """The inversion with these steps after those it has."""
    embeddings = to_intermediate(torch.stack([step.embedding for step in found]))
    losses = torch.stack([step.losses for step in found])
    if inversion.null_text is not None and inversion.null_text_losses is not None:
        embeddings = torch.cat([inversion.null_text.expand(-1, embeddings.shape[1], -1, -1), embeddings])
        losses = torch.cat([inversion.null_text_losses, losses])
    return replace(inversion, null_text=embeddings, null_text_losses=losses)


def _check_same_task(
    unfinished: Inversion,
    model: ModelPatcher,
    latent: Tensor,
    conditioning: dict[str, Entry],
    schedule: Schedule,
    settings: NullTextSettings,
) -> None:
    """Raises ValueError, naming the inputs, where the steps already found would not fit those to come."""
    if unfinished.null_text_losses is None:
        raise ValueError(
            "continue_from holds no steps of a null-text inversion. Connect a file that an interrupted Null-Text "
            "Inversion kept, or leave continue_from open."
        )
    same_weights = check_model(unfinished.fingerprint, model)
    x0 = model.get_model_object("latent_format").process_in(latent)
    same = {
        "model": same_weights,
        "latent": _close(unfinished.x0, x0),
        "text": unfinished.conditioning.keys() == conditioning.keys()
        and all(_close_entries(unfinished.conditioning[name], conditioning[name]) for name in conditioning),
        "steps": unfinished.schedule == schedule,
        "guidance": unfinished.guidance == settings.guidance,
        "updates": unfinished.null_text_losses.shape[-1] == settings.updates,
    }
    other = [name for name, is_same in same.items() if not is_same]
    if other:
        raise ValueError(
            f"continue_from was made with another {' and another '.join(other)}. "
            "Connect what it was made with, or leave continue_from open to start anew."
        )


def _close_entries(a: Entry, b: Entry) -> bool:
    """Equal but for the rounding of their tensors."""
    tensors = tensors_of(a), tensors_of(b)
    if not any(tensors):
        return a == b
    return len(tensors[0]) == len(tensors[1]) and all(map(_close, *tensors))


def _close(a: Tensor, b: Tensor) -> bool:
    """Equal but for rounding: encoders repeat themselves to about a thousandth, other images and texts do not."""
    if a.shape != b.shape:
        return False
    a, b = a.to(b.device, torch.float64), b.double()
    return bool((a - b).square().mean() <= 1e-4 * b.square().mean())
