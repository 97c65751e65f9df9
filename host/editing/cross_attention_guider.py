"""Cross-attention guidance (guidance/cross_attention.py) as a GUIDER.

At every step the reconstruction, which stands at the same noise level beside the edit, shows its cross-attention; the
edit's latent is moved by a gradient step towards the same maps, for each of its two prompts; and from there the guided
prediction is made.

A guider can only return a prediction, but here the latent itself has to move: it is moved in place, and the sampler
goes on from it. Samplers that step from a copy, or not straight from one level to the next, are refused at their second
step, since neither their latent nor the reconstruction beside it would be where it is taken to be.
"""

import logging
from collections.abc import Callable, Collection
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import comfy.model_management
import comfy.model_sampling
import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn import Module

from ...guidance.cross_attention import (
    CONDITIONAL,
    NEGATIVE,
    UPDATE_TARGETS,
    bounded_amount,
    cross_attention_loss,
    guidance_shift,
    moved_latent,
)
from ...inversion.schedule import Schedule
from ...inversion.step import step
from ..matching.cross_attention_maps import MapRecorder, Maps, with_shifts, without_control
from ..matching.joint_text_maps import JointMapRecorder, with_joint_shifts
from ..models.architecture import is_unet, known_transformer, network_of
from ..models.conditioning import same_text
from ..models.schedules import schedule_of
from ..models.unet import text_blocks
from ..runtime.gradients import autograd_inside, changes_in_place_kept, differentiable, transformers_recomputed

log = logging.getLogger("appearance_transfer")

PROMPTS = (CONDITIONAL, NEGATIVE)  # as ComfyUI numbers them
ONLY_PARTLY = {"area", "start_percent", "end_percent"}  # what says of a text that it is not on everywhere and always
BOUNDED = (comfy.model_sampling.V_PREDICTION, comfy.model_sampling.CONST)  # the latter are flows
ON_ITS_WAY = 1e-3  # relative distance from where a plain step ends; rounding makes about 1e-6


@dataclass(frozen=True)
class CrossAttentionSettings:
    """The parameters of cross-attention guidance; defaults are those of the reference code for real images.

    cfg: classifier-free guidance, also of the reconstruction. amount: step size, 0 is off.
    stored: run the whole reconstruction first and keep its maps on the CPU in fp16, instead of step by step.
    downscales: whose maps are compared, as factors by which they are smaller than the latent; None is all.
    update_target: one of UPDATE_TARGETS.
    bounded: on v-prediction and flow models, take no step that is longer than to where the loss would be 0
        (`bounded_amount`). The reference code has no bound, and can diverge there.
    """

    cfg: float = 5.0
    amount: float = 0.1
    stored: bool = False
    downscales: tuple[int, ...] | None = None
    update_target: str = UPDATE_TARGETS[0]
    bounded: bool = True

    @classmethod
    def reference_code(cls, **settings: Any) -> "CrossAttentionSettings":
        """As the authors' code: no bound, and the sampler goes on from the latent of the negative prompt."""
        return cls(bounded=False, update_target="negative", **settings)


@dataclass(frozen=True)
class TextMaps:
    """How a network's view of its text is read, and differentiated.

    recorder: for one forward. shifted: options under which every prompt has a latent of its own. differentiated: a
    context around the network, for gradients.
    """

    recorder: Callable[[], MapRecorder | JointMapRecorder]
    shifted: Callable[[dict[str, Any], Tensor], dict[str, Any]]
    differentiated: Callable[[Module], AbstractContextManager[None]]


def text_maps_of(model: ModelPatcher, downscales: Collection[int] | None) -> TextMaps:
    """Raises ValueError for a network that is neither a U-Net with cross-attention at these downscales, nor a
    transformer that we know, whose blocks are all of one size.
    """
    if is_unet(network_of(model)):
        blocks = text_blocks(model, downscales)
        return TextMaps(lambda: MapRecorder(blocks), with_shifts, transformers_recomputed)
    transformer = known_transformer(network_of(model))
    if downscales is not None:
        raise ValueError(
            f"downscales chooses among the sizes of a U-Net's maps, but this MODEL is a transformer "
            f"({transformer.family}), whose maps have one size. Set downscales to all."
        )
    return TextMaps(lambda: JointMapRecorder(transformer), with_joint_shifts, changes_in_place_kept)


class CrossAttentionGuider(comfy.samplers.CFGGuider):
    """Text guidance towards `edited` that keeps the cross-attention of the reconstruction under `positive`.

    negative: None takes `positive`, as the reference code does for real images. With amount 0, or where edited is no
    other text than positive, this is ComfyUI's own guider under `edited`.

    On a transformer the share of an image query's attention that goes to each token of the text is its cross-attention.

    Raises ValueError for an architecture without such maps (at these downscales), quantized weights, and
    conditionings that cannot be compared; and, when sampling, for samplers that it does not work with.
    """

    def __init__(
        self,
        model: ModelPatcher,
        positive: list,
        edited: list,
        negative: list | None,
        settings: CrossAttentionSettings,
    ):
        negative = positive if negative is None else negative
        _check_texts(positive, edited, negative)
        self.settings = settings
        self.text_maps = text_maps_of(model, settings.downscales)
        self.guides = settings.amount != 0 and not same_text(positive, edited)
        self.one_text = same_text(positive, negative)
        self._run: _Run | None = None
        super().__init__(differentiable(model) if self.guides else model)
        self.inner_set_conds({"positive": edited, "negative": negative, "original": positive})
        self.set_cfg(settings.cfg)

    def sample(self, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kwargs: Any):
        if not self.guides:
            log.info("Cross-Attention Guider has nothing to guide: amount is 0, or the edited text is the original.")
            return super().sample(noise, latent_image, sampler, sigmas, *args, **kwargs)
        self._run = _Run(self, schedule_of(self.model_patcher, steps=len(sigmas), sigmas=sigmas))
        try:
            # Some samplers start from latent_image itself, which belongs to the node that made it.
            return super().sample(noise, latent_image.clone(), sampler, sigmas, *args, **kwargs)
        finally:
            self._run = None

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] = {},  # noqa: B006 (ComfyUI's signature)
        seed: Any = None,
    ) -> Tensor:
        if self._run is None:
            return super().predict_noise(x, timestep, model_options, seed)
        shifts = self._run.move(x, timestep, model_options)
        denoised = super().predict_noise(x, timestep, self.text_maps.shifted(model_options, shifts), seed)
        self._run.leave(x, denoised)
        return denoised


class _Run:
    """One sampling run: the level it stands at, the reconstruction beside it, and where the sampler should go next."""

    def __init__(self, guider: CrossAttentionGuider, schedule: Schedule):
        self.guider = guider
        self.settings = guider.settings
        self.schedule = schedule
        self.level = 0
        self._next: Tensor | None = None
        self._reference: _Reference | None = None
        self._stored: list[dict[int, Maps]] = []
        rows = 1 if guider.one_text else 2
        log.info(
            "Cross-attention guidance on %d steps: per image %d evaluations of the model, %d of them with gradients.",
            schedule.steps, schedule.steps * (rows + 4), schedule.steps * 2,
        )  # fmt: skip

    def move(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any]) -> Tensor:
        """Move the sampler's latent x [B, C, h, w] in place; returns where the prompts stand beside it, [2, B, ...]."""
        self._check_way(x, sigma)
        reference = self._reference_maps(x, sigma, model_options)
        shifts = self._shifts(x, sigma, reference, model_options)
        warped = moved_latent(shifts, self.settings.update_target)
        sampling = self.guider.inner_model.model_sampling
        x.add_(warped / sampling.calculate_input(sigma, torch.ones_like(x)))
        return shifts - warped

    def leave(self, x: Tensor, denoised: Tensor) -> None:
        """The step from here is the sampler's."""
        self._next = step(x, denoised, None, self.schedule, self.level, 0.0)
        self.level += 1

    def _check_way(self, x: Tensor, sigma: Tensor) -> None:
        on_its_way = self.schedule.index_of(float(sigma.max())) == self.level
        if on_its_way and self._next is not None:
            on_its_way = bool((x - self._next).abs().max() <= ON_ITS_WAY * self._next.abs().max())
        if not on_its_way:
            raise ValueError(
                "This sampler does not take plain DDIM steps, one for each level, from where cross-attention guidance "
                "leaves the latent. Use euler or ddim, or the sampler of Resume from Inversion with a DDIM inversion, "
                "without a noise mask and with nothing between the steps."
            )

    def _reference_maps(self, x: Tensor, sigma: Tensor, model_options: dict[str, Any]) -> dict[int, Maps]:
        """The maps of the reconstruction at this level, by prompt."""
        if self._reference is None:
            self._reference = _Reference(self.guider, x, self.schedule, model_options)
            if self.settings.stored:
                self._stored = [
                    _as(self._reference.advance(), torch.device("cpu"), torch.float16)
                    for _ in range(self.schedule.steps)
                ]
        if not self.settings.stored:
            return self._reference.advance()
        return _as(self._stored.pop(0), x.device, x.dtype)

    def _shifts(self, x: Tensor, sigma: Tensor, reference: dict[int, Maps], model_options: dict[str, Any]) -> Tensor:
        """The gradient step of both prompts, [2, B, C, h, w], in the scale of the network's input."""
        model = self.guider.inner_model
        with autograd_inside(model), self.guider.text_maps.differentiated(model.diffusion_model):
            gradient, losses = attention_gradient(self.guider, x.clone(), sigma.clone(), reference, model_options)
        amount: float | Tensor = self.settings.amount
        if self.settings.bounded and isinstance(model.model_sampling, BOUNDED):
            amount = bounded_amount(self.settings.amount, losses, gradient)
        return guidance_shift(gradient, amount)


class _Reference:
    """The plain reconstruction beside the edit: from the same latent, under the original text, by DDIM steps."""

    def __init__(self, guider: CrossAttentionGuider, x: Tensor, schedule: Schedule, model_options: dict[str, Any]):
        self.guider = guider
        self.schedule = schedule
        self.model_options = model_options
        self.level = 0
        self._x = x.clone()

    def advance(self) -> dict[int, Maps]:
        """The maps where it stands, by prompt, and one step on. One text on both sides is run once, as the first."""
        comfy.model_management.throw_exception_if_processing_interrupted()
        guider, x = self.guider, self._x
        recorder = guider.text_maps.recorder()
        sigma = x.new_full((len(x),), self.schedule.sigmas[self.level])
        prompts = [without_control(guider.conds["original"])]
        prompts.append(None if guider.one_text else without_control(guider.conds["negative"]))
        options = recorder.options(self.model_options)
        positive, negative = comfy.samplers.calc_cond_batch(guider.inner_model, prompts, x, sigma, options)
        denoised = positive if guider.one_text else negative + guider.cfg * (positive - negative)
        self._x = step(x, denoised, None, self.schedule, self.level, 0.0)
        self.level += 1
        return recorder.maps


def attention_gradient(
    guider: CrossAttentionGuider, x: Tensor, sigma: Tensor, reference: dict[int, Maps], model_options: dict[str, Any]
) -> tuple[Tensor, Tensor]:
    """dL_xa/dX [2, B, C, h, w] at the network's input under both prompts, and what each adds to L_xa, [2, B].

    x: [B, C, h, w] in ComfyUI's scaling. Not under inference mode.
    """
    recorder = guider.text_maps.recorder()
    shifts = x.new_zeros((len(PROMPTS), *x.shape), requires_grad=True)
    prompts = [without_control(guider.conds[which]) for which in ("positive", "negative")]
    options = guider.text_maps.shifted(recorder.options(model_options), shifts)
    comfy.samplers.calc_cond_batch(guider.inner_model, prompts, x, sigma, options)
    of_prompts = [
        cross_attention_loss(recorder.maps[prompt], reference.get(prompt, reference[CONDITIONAL])) for prompt in PROMPTS
    ]
    losses = torch.stack(of_prompts) / len(PROMPTS)
    (gradient,) = torch.autograd.grad(losses.sum(), shifts)
    return gradient, losses.detach()


def _as(maps: dict[int, Maps], device: torch.device, dtype: torch.dtype) -> dict[int, Maps]:
    return {
        prompt: {layer: of_layer.to(device, dtype) for layer, of_layer in of_prompt.items()}
        for prompt, of_prompt in maps.items()
    }


def _check_texts(positive: list, edited: list, negative: list) -> None:
    for name, conditioning in (("positive", positive), ("edited", edited), ("negative", negative)):
        if len(conditioning) != 1 or conditioning[0][0] is None or ONLY_PARTLY & conditioning[0][1].keys():
            raise ValueError(
                f"The {name} CONDITIONING holds {len(conditioning)} entries, or no text, or one for an area or for a "
                "part of the steps, but cross-attention is compared text by text everywhere. Connect one CLIP Text "
                "Encode, moved or not by Apply Edit Direction."
            )
    tokens = {name: text[0][0].shape[1] for name, text in (("positive", positive), ("edited", edited))}
    if tokens["positive"] != tokens["edited"]:
        raise ValueError(
            f"The edited text has {tokens['edited']} tokens and the positive one {tokens['positive']}, so their "
            "attention cannot be compared. Shorten the longer text until both need the same number of chunks of 77."
        )
