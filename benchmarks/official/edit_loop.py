"""What the reference loop of pix2pix-zero makes a network do (arXiv 2302.03027; 16e5c1d), and what ours does.

There, the inversion leaves out the first and the last timestep; the reconstruction runs the caption on both sides of
text guidance and keeps the cross-attention maps of all steps; the edit goes through the network twice per step, with
both texts, once keeping everything for the way back; and every attention builds its whole map. Written from the
description of the method for its cost, out of the pack's own parts, so that the images come out the same. (It keeps
its maps in half precision, as the pack does, where the reference code has them in full.)

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass
from typing import Any, Literal
from unittest import mock

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...host.editing import cross_attention_guider
from ...host.editing.cross_attention_guider import CrossAttentionGuider, CrossAttentionSettings
from ...host.inversion.ddpm_and_ddim import invert_with_ddim
from ...host.models.schedules import schedule_of
from ...host.transfer.noise_map_sampler import NoiseMapSampler
from ...inversion.regularize import Regularization
from ..transfers.sampled import sampled_latents
from .loop import whole_map_attention


@dataclass(frozen=True, eq=False)
class EditTask:
    """An image [1, C, h, w] in the VAE's scale, and its text before and after the edit, as CONDITIONING."""

    image: Tensor
    source: list[Any]
    edited: list[Any]
    steps: int = 50
    timesteps: Literal["consistent", "reference"] = "consistent"


def ours(model: ModelPatcher, task: EditTask) -> Tensor:
    """The edited latent [1, C, h, w] in the VAE's scale."""
    return _edited(model, CrossAttentionGuider(model, task.source, task.edited, None, CrossAttentionSettings()), task)


def released(model: ModelPatcher, task: EditTask) -> Tensor:
    """The same as the reference loop finds it. task.timesteps should be its own, "reference"."""
    explicit = _with_whole_maps(model)
    guider = CrossAttentionGuider(explicit, task.source, task.edited, None, CrossAttentionSettings(stored=True))
    guider.one_text = False
    guider.model_options = _with_whole_maps(guider.model_patcher).model_options
    with _everything_kept():
        return _edited(explicit, guider, task)


def _edited(model: ModelPatcher, guider: CrossAttentionGuider, task: EditTask) -> Tensor:
    schedule = schedule_of(model, steps=task.steps)
    inversion = invert_with_ddim(
        model, task.image, task.source, task.source, schedule, timesteps=task.timesteps,
        regularization=Regularization(),
    )  # fmt: skip
    return sampled_latents(model, inversion, guider, NoiseMapSampler(inversion))


def _with_whole_maps(model: ModelPatcher) -> ModelPatcher:
    clone = model.clone()
    clone.model_options["transformer_options"]["optimized_attention_override"] = whole_map_attention
    return clone


@contextmanager
def _everything_kept() -> Iterator[None]:
    """Within, no block is computed a second time on the way back."""
    with mock.patch.object(cross_attention_guider, "transformers_recomputed", lambda network: nullcontext()):
        yield
