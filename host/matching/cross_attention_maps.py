"""The cross-attention of a U-Net as maps that autograd follows, and a U-Net input that differs from prompt to prompt.

Both are options of single forwards; nothing of them stays on the model.
"""

from collections.abc import Collection
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor

from ..models.attention_layer import join_heads, split_heads
from ..models.model_options import without_patches

KEY = "appearance_transfer_shifts"
DIFFUSION_MODEL = comfy.patcher_extension.WrappersMP.DIFFUSION_MODEL

# (side of the U-Net, block, transformer inside the block) -> probabilities [B, heads, N, T]
Maps = dict[tuple[str, int, int], Tensor]


class MapRecorder:
    """Keeps the cross-attention maps of these blocks in the next forward, by prompt as ComfyUI numbers them.

    Self-attention is left alone: its maps are large and play no part.
    """

    def __init__(self, blocks: Collection[tuple[str, int]]):
        self.blocks = blocks
        self.maps: dict[int, Maps] = {}

    def options(self, model_options: dict[str, Any]) -> dict[str, Any]:
        """Options of the run for a forward that records: without the patches of anybody else."""
        options = comfy.model_patcher.create_model_options_clone(without_patches(model_options))
        replaced = {block: self._attend for block in self.blocks}
        options["transformer_options"]["patches_replace"] = {"attn2": replaced}
        return options

    def _attend(self, q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
        q, k, v = (split_heads(tokens, extra["n_heads"]) for tokens in (q, k, v))
        maps = (q * q.shape[-1] ** -0.5 @ k.transpose(-1, -2)).softmax(dim=-1)
        prompts = extra["cond_or_uncond"]
        for prompt, of_prompt in zip(prompts, maps.chunk(len(prompts)), strict=True):
            self.maps.setdefault(prompt, {})[*extra["block"], extra["block_index"]] = of_prompt
        return join_heads(maps @ v)


def with_shifts(model_options: dict[str, Any], shifts: Tensor) -> dict[str, Any]:
    """New options under which every prompt sees a latent of its own.

    shifts: [prompts, B, C, h, w], added to the input of the network (so in its scale, where noise has unit variance).
        What the network answers is then taken, as ever, for an answer at the latent itself.
    """

    def shifted(
        executor: Any, x: Tensor, timesteps: Tensor, context: Any, y: Any, control: Any, options: dict, **kwargs: Any
    ) -> Tensor:
        rows = shifts[options["cond_or_uncond"]].flatten(0, 1)
        latent, extra_channels = x.split([rows.shape[1], x.shape[1] - rows.shape[1]], dim=1)
        x = torch.cat([latent + rows, extra_channels], dim=1)
        return executor(x, timesteps, context, y, control, options, **kwargs)

    options = comfy.model_patcher.create_model_options_clone(model_options)
    comfy.patcher_extension.add_wrapper_with_key(DIFFUSION_MODEL, KEY, shifted, options, is_model_options=True)
    return options


def without_control(prompt: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """A processed conditioning without its ControlNets, for a forward that records maps.

    ComfyUI adds their residuals in place, which autograd cannot follow, and an inverted image was made without them.
    """
    return [{key: value for key, value in cond.items() if key != "control"} for cond in prompt]
