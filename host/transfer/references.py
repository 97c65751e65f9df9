"""Reference images beside a run: their latents at every step, and the forwards in which they are read.

References never ride in the user's latent batch. At a step that reads one, it runs in a forward of its own, under its
own prompt and without the patches of other nodes, but for those that capture what it offers.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import Any

import comfy.samplers
import torch
from comfy.hooks import EnumHookType, HookGroup
from torch import Tensor

from ...inversion.levels import latent_at
from ...inversion.pairing import without_repeats
from ...inversion.schedule import sigma_index
from ...inversion.step import step
from ...inversion.types import Inversion
from ..models.attention_layer import NEGATIVE, POSITIVE, SIDES
from ..models.conditioning import processed_prompt, unpack
from ..models.model_options import without_patches
from ..runtime.latents import framed, without_frame


@dataclass(frozen=True)
class ModelCall:
    """The evaluation of the output that references are run beside, at noise level `sigma` [B]."""

    guider: Any
    sigma: Tensor
    model_options: dict[str, Any]
    seed: Any


class RecordedReference:
    """A reference at the latents its inversion recorded, and noised anew between them: the true image at every sigma,
    and free on steps that do not read it."""

    def __init__(self, inversion: Inversion):
        """distinct: the same without the images that are there more than once (in a grid); only those are run."""
        self.inversion = inversion
        self.distinct, self._which = without_repeats(inversion)
        self._prompts: dict[tuple[bool, int], list[dict[str, Any]]] = {}

    def latent(self, sigma: float) -> Tensor:
        """[b, C, h, w] of the distinct images at the noise level `sigma`."""
        return latent_at(self.distinct, sigma)

    def image_indices(self, outputs: int) -> list[int]:
        """For each of so many outputs the index of its distinct image."""
        return [self._which[output % len(self._which)] for output in range(outputs)]

    def for_every_image(self, values: Tensor) -> Tensor:
        """What the distinct images show, [b, ...], for each image of the inversion, [B, ...]."""
        return values if self.distinct is self.inversion else values[self._which]

    def read(self, call: ModelCall, prompts: Collection[int], patches: dict[str, Any], sigmas: Sequence[float]) -> None:
        """One forward under each of the prompts (POSITIVE, NEGATIVE), which holds it at each of these noise levels.

        patches: entries of ComfyUI's transformer_options, which capture what it offers.
        """
        self._denoise(call, prompts, patches, sigmas)

    def estimate(self, call: ModelCall) -> Tensor:
        """The image [B, C, h, w] that the model predicts from it at this level, under its own prompt alone."""
        return self.for_every_image(self._denoise(call, (POSITIVE,), {}, [float(call.sigma.max())])[0])

    def prompt(self, guider: Any, x: Tensor, seed: Any) -> list[dict[str, Any]]:
        """The prompt it was inverted under, as `calc_cond_batch` takes it for latents of the shape of x."""
        return self._prompt(self.inversion, guider, x, seed, POSITIVE)

    def prompt_of_distinct(self, guider: Any, x: Tensor, seed: Any) -> list[dict[str, Any]]:
        """The same of the distinct images alone."""
        return self._prompt(self.distinct, guider, x, seed, POSITIVE)

    def _prompt(self, of: Inversion, guider: Any, x: Tensor, seed: Any, which: int) -> list[dict[str, Any]]:
        known = (of is self.distinct, which)
        if known not in self._prompts:
            conditioning = unpack(of.conditioning, SIDES[which])
            self._prompts[known] = processed_prompt(guider.inner_model, conditioning, x, seed, SIDES[which])
        return self._prompts[known]

    def _hooked_prompt(self, call: ModelCall, x: Tensor, which: int) -> list[dict[str, Any]]:
        """The prompt of the distinct images, with the LoRAs that hang on the guider's prompt of that side."""
        prompt = self._prompt(self.distinct, call.guider, x, call.seed, which)
        hooks = weight_hooks(call.guider.conds.get(SIDES[which], ()))
        return prompt if hooks is None else [{**cond, "hooks": hooks} for cond in prompt]

    def _denoise(
        self, call: ModelCall, prompts: Collection[int], patches: dict[str, Any], sigmas: Sequence[float]
    ) -> list[Tensor]:
        """[levels*b, C, h, w] for each prompt: the distinct images as predicted from each of these levels; zeros where
        not asked for.
        """
        x = torch.cat([self.latent(sigma) for sigma in sigmas]).to(device=call.sigma.device, dtype=torch.float32)
        x = framed(x, call.guider.inner_model.latent_format)
        sigma = call.sigma.new_tensor(sigmas).repeat_interleave(self.distinct.images)
        conds = [self._hooked_prompt(call, x, which) if which in prompts else None for which in (POSITIVE, NEGATIVE)]
        options = without_patches(call.model_options)
        options["transformer_options"] |= patches
        predicted = comfy.samplers.calc_cond_batch(call.guider.inner_model, conds, x, sigma, options)
        return [without_frame(denoised) for denoised in predicted]


class ReplayedReference(RecordedReference):
    """A reference moved on by its own prediction and noise map, as the reference code does (it drifts from its image).

    It has to see every step of the run exactly once.
    """

    def __init__(self, inversion: Inversion):
        super().__init__(inversion)
        self._level = 0
        self._x = self.distinct.start

    def latent(self, sigma: float) -> Tensor:
        standing = self.distinct.schedule.sigmas[self._level]
        if sigma_index((standing,), sigma) is None:
            raise ValueError(
                "The preset reference code needs a sampler that visits every level once and in order (it asked for "
                f"sigma {sigma:.3f}, the reference stands at {standing:.3f}). Set preset to default, or use "
                "Sample from Inversion, or the SAMPLER of Resume from Inversion."
            )
        return self._x

    def replay(self, call: ModelCall, prompts: Collection[int], patches: dict[str, Any], guidance: float) -> None:
        """One forward at this level under each of the prompts and those that move it on; then it stands at the next.

        patches: entries of ComfyUI's transformer_options. guidance: of the text, in the prediction that moves it.
        """
        moving = (POSITIVE,) if guidance == 1.0 else (POSITIVE, NEGATIVE)
        positive, negative = self._denoise(call, {*prompts, *moving}, patches, [float(call.sigma.max())])
        denoised = positive if guidance == 1.0 else negative + guidance * (positive - negative)
        record = self.distinct
        x = self._x.to(denoised.device)
        noise_map = record.noise_maps[self._level].to(denoised.device) if record.eta else None
        self._x = step(x, denoised, noise_map, record.schedule, self._level, record.eta)
        self._level += 1


def weight_hooks(prompt: Sequence[dict[str, Any]]) -> HookGroup | None:
    """The hooks on a guider's prompt that change weights, as those of Create Hook LoRA do; of a combined prompt, the
    first one's. What hooks do besides belongs to the output."""
    hooks = next((cond["hooks"] for cond in prompt if cond.get("hooks") is not None), None)
    if hooks is None:
        return None
    weights = hooks.get_type(EnumHookType.Weight)
    if len(weights) == len(hooks.hooks):
        return hooks  # the very group that the output has: ComfyUI then leaves the weights as they are in between
    group = HookGroup()
    for hook in weights:
        group.add(hook)
    return group if weights else None
