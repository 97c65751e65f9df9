"""Reference pictures beside a run: their latents at every step, and the keys and values their self-attention shows.

References never ride in the user's latent batch. At a step that reads one, it runs in a forward of its own, under its
own prompt and without the patches of other nodes, and leaves its projected keys and values in the feature bank.
"""

from collections.abc import Iterable
from typing import Any

import comfy.samplers
import torch
from torch import Tensor

from ..inversion.record import Inversion
from ..inversion.step import step
from .conditioning import processed_prompt, unpack
from .self_attention import layer_of, plain_attention, split_heads

# (output block number, transformer inside the block) -> keys and values [pictures, heads, N, d]
FeatureBank = dict[tuple[int, int], tuple[Tensor, Tensor]]


class RecordedReference:
    """A reference at the latents its inversion recorded: the true picture, and free on steps that do not read it."""

    evaluates_every_step = False

    def __init__(self, inversion: Inversion):
        self.inversion = inversion
        self._prompt: list[dict[str, Any]] | None = None

    def latent(self, level: int) -> Tensor:
        """[B, C, h, w] at noise level `level` of the run."""
        return self.inversion.trajectory[level]

    def run(
        self, guider: Any, sigma: Tensor, level: int, model_options: dict[str, Any], blocks: Iterable[int], seed: Any
    ) -> FeatureBank:
        """One forward at `level`; records the self-attention of the given output blocks."""
        bank: FeatureBank = {}
        self._denoise(guider, sigma, level, _recording(model_options, bank, blocks), seed)
        return bank

    def _denoise(self, guider: Any, sigma: Tensor, level: int, model_options: dict[str, Any], seed: Any) -> Tensor:
        x = self.latent(level).to(device=sigma.device, dtype=torch.float32)
        sigma = sigma.reshape(-1)[:1].expand(x.shape[0])
        if self._prompt is None:
            positive = unpack(self.inversion.conditioning, "positive")
            self._prompt = processed_prompt(guider.inner_model, positive, x, seed)
        return comfy.samplers.calc_cond_batch(guider.inner_model, [self._prompt], x, sigma, model_options)[0]


class ReplayedReference(RecordedReference):
    """A reference moved on by its own prediction and noise map, as the released code does (it drifts from its picture).

    It has to see every step of the run exactly once.
    """

    evaluates_every_step = True

    def __init__(self, inversion: Inversion):
        super().__init__(inversion)
        self._level = 0
        self._x = inversion.start

    def latent(self, level: int) -> Tensor:
        if level != self._level:
            raise ValueError(
                "references = replayed needs a sampler that visits every level once and in order (it asked for level "
                f"{level}, the reference stands at {self._level}). Use the SAMPLER of Resume from Inversion, or "
                "references = recorded."
            )
        return self._x

    def run(
        self, guider: Any, sigma: Tensor, level: int, model_options: dict[str, Any], blocks: Iterable[int], seed: Any
    ) -> FeatureBank:
        bank: FeatureBank = {}
        denoised = self._denoise(guider, sigma, level, _recording(model_options, bank, blocks), seed)
        record = self.inversion
        x = self._x.to(denoised.device)
        noise_map = record.noise_maps[level].to(denoised.device) if record.eta else None
        self._x = step(x, denoised, noise_map, record.schedule, level, record.eta)
        self._level = level + 1
        return bank


def without_patches(model_options: dict[str, Any]) -> dict[str, Any]:
    """New options for an extra forward inside a run: no patches of anybody."""
    kept = {
        key: value
        for key, value in model_options.get("transformer_options", {}).items()
        if key not in ("patches", "patches_replace")
    }
    return {"transformer_options": kept}


def _recording(model_options: dict[str, Any], bank: FeatureBank, blocks: Iterable[int]) -> dict[str, Any]:
    """New options for a reference forward: no patches of anybody, but a recorder on the given blocks."""

    def record(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        bank[layer_of(extra)] = (
            split_heads(k, extra["n_heads"]),
            split_heads(v, extra["n_heads"]),
        )
        return plain_attention(q, k, v, extra)

    options = without_patches(model_options)
    options["transformer_options"]["patches_replace"] = {"attn1": {("output", block): record for block in blocks}}
    return options
