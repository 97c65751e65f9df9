"""One forward of an inverted image that hands out its attention: maps, or queries and keys."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.windows import step_at_percent
from ...inversion.types import Inversion
from ..models.attention_layer import split_heads
from ..models.conditioning import unpack
from ..models.fingerprint import check_model
from ..models.plain_model import check_plain
from ..models.schedules import sigmas_tensor
from ..models.unet import decoder_levels, text_blocks
from ..models.unet_attention import plain_attention, replacement_keys
from ..runtime.model_runner import Denoise, run_with_model

Grid = tuple[int, int]


@dataclass(frozen=True)
class CapturedMaps:
    """Head-mean attention of the last decoder layer of a level, per image.

    self_attention: [B, N, N] at the finest level, grid (h, w). cross_attention: [B, M, T] one level coarser, grid
        (h/2, w/2).
    """

    self_attention: Tensor
    self_grid: Grid
    cross_attention: Tensor
    cross_grid: Grid


def step_read_at(model: ModelPatcher, inversion: Inversion, at_percent: float) -> int:
    """The executed step of an inversion at which attention is read. at_percent: of the noise schedule, 0..1."""
    percent_to_sigma = model.get_model_object("model_sampling").percent_to_sigma
    return step_at_percent(at_percent, inversion.schedule.sigmas, percent_to_sigma)


def capture_maps(model: ModelPatcher, inversion: Inversion, step: int) -> CapturedMaps:
    """The maps Self-Segmentation needs, at the latents recorded for executed step `step`, under the positive prompt."""
    check_plain(model)
    levels = decoder_levels(model)
    own, text = _Last(), _Last()
    clone = model.clone()
    _watch(clone, "attn1", "output", max(levels.blocks_at(levels.fine)), own.take)
    _watch(clone, "attn2", "output", max(levels.blocks_at(levels.coarse)), text.take)
    _evaluate(clone, inversion, [step])
    return CapturedMaps(own.maps, own.grid, text.maps, text.grid)


def capture_text_maps(
    model: ModelPatcher, inversion: Inversion, steps: Iterable[int], downscale: int
) -> tuple[Tensor, Grid]:
    """Cross-attention [B, n, T] at the latents of these executed steps, under the positive prompt, and its grid (h, w).

    The mean over heads, steps and all layers of encoder, middle and decoder whose grid is `downscale` times smaller
    than the latent. Raises ValueError where the model has no such layer.
    """
    check_plain(model)
    mean = _Mean()
    clone = model.clone()
    for side, number in text_blocks(model, [downscale]):
        _watch(clone, "attn2", side, number, mean.take)
    _evaluate(clone, inversion, steps)
    return mean.maps, mean.grid


class _Last:
    """Keeps the last maps that it is given, and their grid."""

    maps: Tensor
    grid: Grid

    def take(self, maps: Tensor, grid: Grid) -> None:
        self.maps, self.grid = maps, grid


class _Mean(_Last):
    """Keeps the mean of the maps that it is given, one after the other, since together they may be large."""

    count = 0

    def take(self, maps: Tensor, grid: Grid) -> None:
        self.count += 1
        if self.count > 1:
            maps = self.maps + (maps - self.maps) / self.count
        super().take(maps, grid)


@dataclass(frozen=True)
class CapturedTokens:
    """Queries and keys [B, heads, N, d] of the last self-attention at the finest decoder level, grid (h, w)."""

    q: Tensor
    k: Tensor
    grid: Grid


def capture_tokens(model: ModelPatcher, inversion: Inversion, step: int) -> CapturedTokens:
    """What an inverted image asks (q) and offers (k) at executed step `step`."""
    check_plain(model)
    levels = decoder_levels(model)
    taken: list[CapturedTokens] = []

    def record(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        heads = extra["n_heads"]
        grid = tuple(extra["activations_shape"][-2:])
        taken.append(CapturedTokens(split_heads(q, heads).cpu(), split_heads(k, heads).cpu(), grid))
        return plain_attention(q, k, v, extra)

    clone = model.clone()
    for key in replacement_keys(clone, "attn1", "output", max(levels.blocks_at(levels.fine))):
        clone.set_model_attn1_replace(record, *key)
    _evaluate(clone, inversion, [step])
    return taken[-1]


def _evaluate(model: ModelPatcher, inversion: Inversion, steps: Iterable[int]) -> None:
    """A conditional forward of the images as recorded for each of these executed steps (or the last there is)."""
    check_model(inversion.fingerprint, model)
    levels = sorted({min(step, inversion.schedule.steps - 1) for step in steps})

    def body(denoise: Denoise, x0: Tensor) -> None:
        for level in levels:
            denoise(inversion.trajectory[level].to(x0), inversion.schedule.sigmas[level])

    positive = unpack(inversion.conditioning, "positive")
    latent = model.get_model_object("latent_format").process_out(inversion.x0)
    sigmas = sigmas_tensor(inversion.schedule)
    run_with_model(model, latent, body, positive=positive, negative=positive, guidance=1.0, sigmas=sigmas)


def _watch(clone: ModelPatcher, kind: str, side: str, number: int, take: Callable[[Tensor, Grid], None]) -> None:
    """Replace the attention of a block by an explicit one that hands its head-mean maps and their grid to `take`.

    kind: "attn1" (self) or "attn2" (cross). side, number: the block, such as "output", 5.
    """
    setter = clone.set_model_attn1_replace if kind == "attn1" else clone.set_model_attn2_replace

    def explicit(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        heads = extra["n_heads"]
        outputs = []
        total: Tensor | int = 0
        scale = (q.shape[-1] // heads) ** -0.5
        for one_q, one_k, one_v in zip(*(split_heads(x, heads).unbind(1) for x in (q, k, v)), strict=True):
            weights = (one_q.float() * scale @ one_k.float().transpose(-1, -2)).softmax(-1)
            outputs.append((weights @ one_v.float()).to(v.dtype))
            total = total + weights
        take(total.cpu() / heads, tuple(extra["activations_shape"][-2:]))
        return torch.cat(outputs, -1)

    for key in replacement_keys(clone, kind, side, number):
        setter(explicit, *key)
