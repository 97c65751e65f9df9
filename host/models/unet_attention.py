"""The attention of ComfyUI's U-Nets as a patch sees it: which layer, where a replacement goes, the plain result."""

from typing import Any

import torch
from comfy.ldm.modules.attention import optimized_attention
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from .attention_layer import AttentionLayer


def layer_at(extra: dict[str, Any], tokens: Tensor) -> AttentionLayer:
    """The decoder's self-attention that is being computed; its key is (output block, transformer inside it).

    extra: what ComfyUI tells a patch. tokens: [rows, N, channels] of that layer.
    """
    rows, count, _ = tokens.shape
    return AttentionLayer(
        key=(extra["block"][1], extra.get("block_index", 0)),
        heads=extra["n_heads"],
        fp32=extra.get("attn_precision") == torch.float32,
        grid=tuple(extra["activations_shape"][-2:]),
        tokens=count,
        latent_size=tuple(extra["original_shape"][-2:]),
        rows=rows,
        prompts=tuple(extra["cond_or_uncond"]),
        uuids=tuple(extra.get("uuids", ())),
    )


def replacement_keys(model: ModelPatcher, kind: str, side: str, number: int) -> list[tuple]:
    """Where a replacement of a block's attention has to be set so that nobody else's stands before it: for the block,
    and for each of its transformers that a node before has set one for.

    kind: "attn1" or "attn2". side, number: the block, such as "output", 5. Returns (side, number[, transformer]).
    """
    set_before = model.model_options["transformer_options"].get("patches_replace", {}).get(kind, {})
    return [(side, number), *(key for key in set_before if key[:2] == (side, number) and len(key) == 3)]


def in_decoder(extra: dict[str, Any]) -> bool:
    """Whether the layer being computed is one of the decoder's."""
    return extra["block"][0] == "output"


def plain_attention(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
    """What ComfyUI would compute without a replacement; overrides of other nodes still apply. [B, N, heads*d]"""
    precision = extra.get("attn_precision")
    return optimized_attention(q, k, v, extra["n_heads"], attn_precision=precision, transformer_options=extra)
