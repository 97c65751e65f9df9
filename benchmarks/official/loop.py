"""The reference loop of Cross-Image Attention by what it makes the network do (arXiv 2311.03335; ee2080c).

Both images are inverted over all steps, with and without text in forwards of their own. Then every executed step
makes two passes over [output, appearance, structure], with and without the swap of keys and values, and every attention
in the network builds its whole map, to which the swapped layers add contrast. Written from the description of the
method for its cost; formulas that cost nothing (steps, guidance, AdaIN) are the pack's own, so that the images come
out right, too.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import comfy.samplers
import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...guidance.adain import adain
from ...guidance.appearance import guidance_scale, guide
from ...host.models.attention_layer import join_heads, split_heads
from ...host.models.schedules import schedule_of, sigmas_tensor
from ...host.models.unet import decoder_levels
from ...host.runtime.model_runner import run_guider
from ...inversion.ddpm import invert_ddpm
from ...inversion.replay import replay
from ...inversion.schedule import Schedule
from .steps import ADAIN_FIRST, ADAIN_LAST, GUIDANCE_FIRST, GUIDANCE_LAST, reads_structure
from .task import Task

TEXT_GUIDANCE = 3.5
CONTRAST = 1.67
OUTPUT, APPEARANCE, STRUCTURE = range(3)


def transfer(model: ModelPatcher, task: Task) -> Tensor:
    """The output [1, C, h, w] in the VAE's scale. The reference code knows one appearance."""
    (appearance,) = task.appearances
    explicit = model.clone()
    explicit.model_options["transformer_options"]["optimized_attention_override"] = whole_map_attention
    whole = schedule_of(model, steps=task.steps)
    paths = [_invert(explicit, image, task, whole) for image in (task.structure, appearance)]
    schedule = whole.tail(task.start_at)
    start, noise_maps = (torch.cat([paths[0][i], paths[1][i], paths[0][i]], dim=-4)[task.start_at :] for i in range(2))

    def body(denoise: Callable[[Tensor, Tensor], Tensor], latent: Tensor) -> Tensor:
        return replay(denoise, start[0].to(latent), schedule, noise_maps, 1.0, after_step=_adain)

    guider = _TwoPasses(explicit, task, schedule)
    rows = torch.cat([task.structure, appearance, task.structure])
    moved = run_guider(guider, rows, body, sigmas=sigmas_tensor(schedule))
    return model.get_model_object("latent_format").process_out(moved[:1])


def _invert(model: ModelPatcher, image: Tensor, task: Task, schedule: Schedule) -> tuple[Tensor, Tensor]:
    """(trajectory [S+1, 1, C, h, w], noise maps [S, 1, C, h, w]) over all steps."""
    guider = _OneByOne(model)
    guider.set_conds(task.positive, task.negative)
    guider.set_cfg(TEXT_GUIDANCE)
    return run_guider(
        guider, image, lambda denoise, x0: invert_ddpm(denoise, x0, schedule, seed=42), sigmas=sigmas_tensor(schedule)
    )


class _OneByOne(comfy.samplers.CFGGuider):
    """Text guidance with a forward for each side, where ComfyUI would send both through the network together."""

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any = None) -> Tensor:
        with_text, without = (
            comfy.samplers.calc_cond_batch(self.inner_model, [self.conds[side]], x, timestep, model_options)[0]
            for side in ("positive", "negative")
        )
        return without + self.cfg * (with_text - without)


class _TwoPasses(comfy.samplers.CFGGuider):
    """Appearance guidance: a pass with the swap and one without it, at every step, over all three images."""

    def __init__(self, model: ModelPatcher, task: Task, schedule: Schedule) -> None:
        super().__init__(model)
        self.inner_set_conds({"positive": task.positive})
        self.schedule, self.first = schedule, task.first
        levels = decoder_levels(model)
        self.blocks = levels.blocks_at(levels.fine) + levels.blocks_at(levels.coarse)

    def predict_noise(self, x: Tensor, timestep: Tensor, model_options: dict[str, Any], seed: Any = None) -> Tensor:
        i = self.schedule.index_of(float(timestep.max()))
        swapping = {}
        if i >= self.first:
            swap = _swapped(STRUCTURE if reads_structure(i, self.first) else APPEARANCE)
            swapping = {"patches_replace": {"attn1": {("output", block): swap for block in self.blocks}}}
        edited, plain = (
            comfy.samplers.calc_cond_batch(
                self.inner_model,
                [self.conds["positive"]],
                x,
                timestep,
                model_options | {"transformer_options": model_options["transformer_options"] | patches},
            )[0]
            for patches in (swapping, {})
        )
        guided = min(GUIDANCE_FIRST, self.first) <= i <= GUIDANCE_LAST
        return guide(plain, edited, guidance_scale(i, self.schedule.steps) if guided else 1.0)


def _adain(x: Tensor, i: int) -> Tensor:
    """The output takes the appearance's channel statistics."""
    if not ADAIN_FIRST <= i <= ADAIN_LAST:
        return x
    return torch.cat([adain(x[OUTPUT:APPEARANCE], x[APPEARANCE:STRUCTURE]), x[APPEARANCE:]])


def _swapped(giver: int) -> Callable[..., Tensor]:
    """Self-attention in which the output's queries look at another image of the batch, with contrast."""

    def attend(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        queries, keys, values = (split_heads(tokens, extra["n_heads"]) for tokens in (q, k, v))
        key_rows = [giver, APPEARANCE, STRUCTURE]
        maps = _whole_map(queries, keys[key_rows])
        average = maps[OUTPUT].mean(dim=-1, keepdim=True)
        maps[OUTPUT] = ((maps[OUTPUT] - average) * CONTRAST + average).clamp(0, 1)
        return join_heads(maps @ values[key_rows])

    return attend


def whole_map_attention(function: Any, q: Tensor, k: Tensor, v: Tensor, heads: int, **options: Any) -> Tensor:
    """In place of ComfyUI's attention, wherever it is computed. [B, N, heads*d]"""
    queries, keys, values = (split_heads(tokens, heads) for tokens in (q, k, v))
    return join_heads(_whole_map(queries, keys) @ values)


def _whole_map(q: Tensor, k: Tensor) -> Tensor:
    """Every position's share of every other: [B, heads, N, M]."""
    return torch.softmax(q @ k.transpose(-1, -2) * q.shape[-1] ** -0.5, dim=-1)
