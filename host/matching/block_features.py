"""Features of a transformer's blocks: what DIFT is on a U-Net, read at the image's tokens of a joint sequence.

Hooks stand on the read blocks for the length of a forward, which ends at the last of them; queries and keys come from
an "attn1_patch" of that forward alone. So nothing of the model is patched. After DiTF (Gan et al., CVPR 2026), but with
the pooled text in the modulation, as the network has it.
"""

import logging
from collections.abc import Sequence
from functools import partial
from typing import Any

import comfy.samplers
from torch import Tensor
from torch.nn import Module
from torch.utils.hooks import RemovableHandle

from ...correspondence.dift import KEYS, TIMESTEPS, TOKENS, BlockReading, DiftSettings, ensemble_means, shared_noise
from ...correspondence.hidden_state import centered, without_massive_channels
from ..models.attention_layer import join_heads
from ..models.families.transformer import Transformer
from ..models.joint_attention import joint_layer
from ..models.model_options import without_patches
from ..runtime.latents import framed
from .partial_forward import Found, run_until_found

log = logging.getLogger("appearance_transfer")

REFERENCES = ("ref_latents", "ref_contexts", "siglip_feats")
"""What edit models read beside an image; its features are its own."""


def blocks_of_x0(
    inner_model: Any,
    transformer: Transformer,
    x0: Tensor,
    prompt: list[dict[str, Any]],
    settings: DiftSettings,
    readings: Sequence[BlockReading],
    model_options: dict[str, Any],
) -> list[Tensor]:
    """Features [B, C, h', w'] of clean latents, one of each reading, out of the same forwards.

    x0: [B, C, h, w] or [ensemble, B, C, h, w]. prompt, model_options: as of `dift_of_x0`; reference latents are left
    out. Says how many massive channels were zeroed. Raises ValueError as `check_reading` does.
    """
    for reading in readings:
        check_reading(transformer, reading)
    sampling = inner_model.model_sampling
    sigma = x0.new_tensor(flow_level(settings))
    conds = {name: cond for name, cond in prompt[0]["model_conds"].items() if name not in REFERENCES}
    text = [{"model_conds": conds, "uuid": prompt[0]["uuid"]}]
    zeroed = 0

    def forward(clean: Tensor, noise: Tensor) -> list[Tensor]:
        nonlocal zeroed
        x = framed(sampling.noise_scaling(sigma, noise, clean), inner_model.latent_format)
        reader = _Reader(transformer, inner_model.diffusion_model, readings, (clean.shape[-2], clean.shape[-1]))
        options = without_patches(model_options)
        options["transformer_options"]["patches"] = {"attn1_patch": [reader.at_attention]}

        def run() -> None:
            comfy.samplers.calc_cond_batch(inner_model, [text], x, sigma.expand(len(x)), options)

        run_until_found(run, reader.hooks(), "blocks")
        zeroed = max(zeroed, reader.massive)
        return [reader.found[number] for number in range(len(readings))]

    noise = shared_noise(tuple(x0.shape[-3:]), settings.ensemble, settings.seed).to(x0)
    means = ensemble_means(forward, x0, noise, settings.batch)
    if any(reading.facet == TOKENS for reading in readings):
        log.info("%d massive channels of %d were zeroed.", zeroed, transformer.width)
    return [centered(values) for values in means]


def flow_level(settings: DiftSettings) -> float:
    """The noise level 0..1 of a flow model."""
    return settings.timestep / TIMESTEPS


def check_reading(transformer: Transformer, reading: BlockReading) -> None:
    """Raises ValueError for a block that a model does not have, and for queries and keys that are not handed out."""
    if reading.block >= len(transformer.blocks):
        raise ValueError(
            f"The block is {reading.block}, but this MODEL ({transformer.family}) has {len(transformer.blocks)}, "
            f"counted from 0. Set block to at most {len(transformer.blocks) - 1}."
        )
    if reading.facet != TOKENS and not transformer.unrotated:
        raise ValueError(
            f"block_facet is {reading.facet}, and ComfyUI does not hand out queries and keys before positions enter in "
            f"{transformer.family}. Set block_facet to {TOKENS}."
        )


class _Reader:
    """One forward that is read, each reading by its number.

    massive: channels that were zeroed, at most. Each part ends the forward when it is the last.
    """

    def __init__(
        self, transformer: Transformer, network: Module, readings: Sequence[BlockReading], size: tuple[int, int]
    ):
        self.transformer = transformer
        self.network = network
        self.readings = readings
        self.size = size
        self.found: dict[int, Tensor] = {}
        self.massive = 0
        self._inputs: dict[int, Tensor] = {}

    def hooks(self) -> list[RemovableHandle]:
        """On the blocks whose tokens are read."""
        hooks = []
        for number, reading in enumerate(self.readings):
            if reading.facet == TOKENS:
                kind, index = self.transformer.blocks[reading.block]
                names = self.transformer.hidden[kind]
                block = self.network.get_submodule(names.blocks)[index]
                norm, projection = block.get_submodule(names.norm), block.get_submodule(names.projection)
                hooks += [
                    norm.register_forward_pre_hook(partial(self._before_norm, number)),
                    projection.register_forward_pre_hook(partial(self._before_projection, number, norm)),
                ]
        return hooks

    def at_attention(self, q: Tensor, k: Tensor, v: Tensor, extra_options: dict[str, Any], **others: Any) -> dict:
        """An "attn1_patch" that changes nothing."""
        joint = joint_layer(self.transformer, self.size, q, k, q.shape[1], extra_options)
        if joint is not None:
            for number, reading in enumerate(self.readings):
                if reading.facet != TOKENS and self.transformer.blocks[reading.block] == joint.layer.key[:2]:
                    self._keep(number, join_heads((k if reading.facet == KEYS else q)[:, :, joint.image]))
        return {}

    def _before_norm(self, number: int, module: Module, inputs: tuple[Tensor, ...]) -> None:
        self._inputs[number] = inputs[0]

    def _before_projection(self, number: int, norm: Module, module: Module, inputs: tuple[Tensor, ...]) -> None:
        tokens, modulated = (self._of_image(x) for x in (self._inputs[number], inputs[0]))
        features, massive = without_massive_channels(tokens, modulated, norm.forward)
        self.massive = max(self.massive, massive)
        self._keep(number, features)

    def _of_image(self, tokens: Tensor) -> Tensor:
        """Those [B, h * w, C] of the image, which are the last but for what fills them up."""
        height, width = self.transformer.grid_of(self.size)
        start = tokens.shape[1] - self.transformer.padded(height * width)
        return tokens[:, start : start + height * width]

    def _keep(self, number: int, tokens: Tensor) -> None:
        grid = self.transformer.grid_of(self.size)
        self.found[number] = tokens.float().movedim(1, 2).unflatten(2, grid).contiguous()
        if len(self.found) == len(self.readings):
            raise Found
