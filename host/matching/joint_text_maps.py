"""How the image of a transformer looks at its text, as maps that autograd follows, and a latent of its own for every
prompt: what cross_attention_maps.py is for U-Nets.

A joint attention has no map of its own for the text. What plays its part is the share of every image query's attention
that goes to each of the tokens before the image. Both are options of single forwards; nothing of them stays on the
model.
"""

from collections.abc import Callable
from typing import Any

import comfy.model_patcher
import comfy.patcher_extension
import torch
from torch import Tensor
from torch.utils.checkpoint import checkpoint

from ..models.families.transformer import Transformer
from ..models.joint_attention import AttentionOverride, heads_first, joint_layer, mask_of, watched
from ..models.model_options import without_patches

KEY = "appearance_transfer_joint_shifts"
APPLY_MODEL = comfy.patcher_extension.WrappersMP.APPLY_MODEL

# (kind of block, number[, a second attention]) -> shares [B, heads, N, T] of N positions for T tokens
JointMaps = dict[tuple[Any, ...], Tensor]


class JointMapRecorder:
    """Keeps the maps of all blocks in the next forward, by prompt as ComfyUI numbers them."""

    def __init__(self, transformer: Transformer):
        self.transformer = transformer
        self.maps: dict[int, JointMaps] = {}

    def options(self, model_options: dict[str, Any]) -> dict[str, Any]:
        """Options of the run for a forward that records: without the patches of anybody else, but with the attention
        that gradients go through.
        """
        backward = model_options["transformer_options"].get("optimized_attention_override")
        options = comfy.model_patcher.create_model_options_clone(without_patches(model_options))
        to = options["transformer_options"]
        forward = watched(self.transformer, to)

        def in_attention(attend: Callable[..., Tensor], q: Tensor, k: Tensor, v: Tensor, heads: int, *args, **about):
            are_first = about.get("skip_reshape", False)
            queries, keys = heads_first(q, heads, are_first), heads_first(k, heads, are_first)
            joint = joint_layer(self.transformer, forward.size, queries, keys, heads, about["transformer_options"])
            if joint is not None and joint.image.start > 0:
                seen = mask_of(args, about)
                image = queries[:, :, joint.image]
                maps = checkpoint(_shares_of_text, image, keys, _for(joint.image, seen), joint.image.start,
                                  use_reentrant=False, preserve_rng_state=False)  # fmt: skip
                prompts = joint.layer.prompts
                for prompt, of_prompt in zip(prompts, maps.chunk(len(prompts)), strict=True):
                    self.maps.setdefault(prompt, {})[joint.layer.key] = of_prompt
            return attend(q, k, v, heads, *args, **about)

        to["optimized_attention_override"] = AttentionOverride(in_attention, backward)
        return options


def with_joint_shifts(model_options: dict[str, Any], shifts: Tensor) -> dict[str, Any]:
    """New options under which every prompt sees a latent of its own.

    shifts: [prompts, B, *latent], added to the latent. What a flow model answers is then taken for an answer at the
        latent itself.
    """

    def shifted(
        executor: Any, x: Tensor, sigma: Tensor, concat: Any, context: Any, control: Any, options: dict, **kwargs: Any
    ) -> Tensor:
        rows = shifts[options["cond_or_uncond"]].flatten(0, 1)
        return executor(x + rows, sigma, concat, context, control, options, **kwargs) - rows

    options = comfy.model_patcher.create_model_options_clone(model_options)
    comfy.patcher_extension.add_wrapper_with_key(APPLY_MODEL, KEY, shifted, options, is_model_options=True)
    return options


def _for(image: slice, mask: Tensor | None) -> Tensor | None:
    """The attention's mask [rows or 1, 1, 1 or N, keys] for the image's queries."""
    if mask is None:
        return None
    mask = mask.reshape(mask.shape[0], 1, -1, mask.shape[-1])
    return mask[:, :, image] if mask.shape[2] > 1 else mask


def _shares_of_text(queries: Tensor, keys: Tensor, mask: Tensor | None, tokens: int) -> Tensor:
    """[rows, heads, N, tokens] of queries [rows, heads, N, d] for the first keys; computed anew on the way back, since
    all scores of all blocks would not fit.
    """
    keys = keys.repeat_interleave(queries.shape[1] // keys.shape[1], dim=1)
    scores = queries * queries.shape[-1] ** -0.5 @ keys.transpose(-1, -2)
    if mask is not None:
        scores = scores.masked_fill(~mask, -torch.inf) if mask.dtype == torch.bool else scores + mask
    return scores.softmax(dim=-1)[..., :tokens]
