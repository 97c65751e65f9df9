"""One forward of an inverted picture that hands out its attention: maps, or queries and keys."""

from dataclasses import dataclass
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..inversion.record import Inversion
from .conditioning import unpack
from .container import Denoise, run_inside
from .families import DecoderLevels, decoder_levels
from .fingerprint import same_model
from .schedules import sigmas_tensor
from .self_attention import plain_attention, split_heads


@dataclass(frozen=True)
class CapturedMaps:
    """Head-mean attention of the last decoder layer of a level, per picture.

    self_attention: [B, N, N] at the finest level, grid (h, w). cross_attention: [B, M, T] one level coarser, grid
        (h/2, w/2).
    """

    self_attention: Tensor
    self_grid: tuple[int, int]
    cross_attention: Tensor
    cross_grid: tuple[int, int]


def capture_maps(model: ModelPatcher, inversion: Inversion, step: int) -> CapturedMaps:
    """The maps Self-Segmentation needs, at the latents recorded for executed step `step`, under the positive prompt."""
    levels = decoder_levels(model)
    taken: dict[str, tuple[Tensor, tuple[int, int]]] = {}
    clone = model.clone()
    _take_last(clone, "attn1", levels, levels.fine, taken)
    _take_last(clone, "attn2", levels, levels.coarse, taken)
    _evaluate_once(clone, inversion, step)
    return CapturedMaps(*taken["attn1"], *taken["attn2"])


@dataclass(frozen=True)
class CapturedTokens:
    """Queries and keys [B, heads, N, d] of the last self-attention at the finest decoder level, grid (h, w)."""

    q: Tensor
    k: Tensor
    grid: tuple[int, int]


def capture_tokens(model: ModelPatcher, inversion: Inversion, step: int) -> CapturedTokens:
    """What an inverted picture asks (q) and offers (k) at executed step `step`."""
    levels = decoder_levels(model)
    taken: list[CapturedTokens] = []

    def record(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        heads = extra["n_heads"]
        grid = tuple(extra["activations_shape"][-2:])
        taken.append(CapturedTokens(split_heads(q, heads).cpu(), split_heads(k, heads).cpu(), grid))
        return plain_attention(q, k, v, extra)

    clone = model.clone()
    clone.set_model_attn1_replace(record, "output", max(levels.blocks_at(levels.fine)))
    _evaluate_once(clone, inversion, step)
    return taken[-1]


def _evaluate_once(model: ModelPatcher, inversion: Inversion, step: int) -> None:
    """One conditional forward of the pictures as recorded for executed step `step` (or the last there is)."""
    same_model(inversion.fingerprint, model)
    step = min(step, inversion.schedule.steps - 1)

    def body(denoise: Denoise, x0: Tensor) -> None:
        denoise(inversion.trajectory[step].to(x0), inversion.schedule.sigmas[step])

    positive = unpack(inversion.conditioning, "positive")
    latent = model.get_model_object("latent_format").process_out(inversion.x0)
    sigmas = sigmas_tensor(inversion.schedule)
    run_inside(model, latent, body, positive=positive, negative=positive, guidance=1.0, sigmas=sigmas)


def _take_last(
    clone: ModelPatcher, kind: str, levels: DecoderLevels, level: int, taken: dict[str, tuple[Tensor, tuple[int, int]]]
) -> None:
    """Replace the last attention layer of a level by an explicit one that leaves its head-mean map in `taken`."""
    block = max(levels.blocks_at(level))
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
        taken[kind] = (total.cpu() / heads, tuple(extra["activations_shape"][-2:]))
        return torch.cat(outputs, -1)

    setter(explicit, "output", block)
