"""The self-attention of ComfyUI's U-Nets as a patch sees it: which layer, which rows, heads, the plain result."""

from collections.abc import Sequence
from typing import Any

from comfy.ldm.modules.attention import optimized_attention
from comfy.model_patcher import ModelPatcher
from torch import Tensor

POSITIVE, NEGATIVE = 0, 1  # how ComfyUI numbers the prompts of a forward
SIDES = {POSITIVE: "positive", NEGATIVE: "negative"}


def layer_of(extra: dict[str, Any]) -> tuple[int, int]:
    """Which self-attention of the decoder is being computed: (output block, transformer inside it)."""
    return extra["block"][1], extra.get("block_index", 0)


def grid_of(extra: dict[str, Any]) -> tuple[int, int]:
    """(h, w) of the tokens of the layer that is being computed."""
    height, width = extra["activations_shape"][-2:]
    return height, width


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


def rows_of(prompt: int, cond_or_uncond: Sequence[int], rows: int) -> list[int]:
    """Batch rows of one prompt; none where the rows are not whole batches."""
    batch, rest = divmod(rows, len(cond_or_uncond))
    return [] if rest else [row for row in range(rows) if cond_or_uncond[row // batch] == prompt]


def split_rows(cond_or_uncond: Sequence[int], rows: int) -> tuple[list[int], list[int]]:
    """Batch rows of the positive prompt, and all others."""
    positive = rows_of(POSITIVE, cond_or_uncond, rows)
    return positive, [row for row in range(rows) if row not in positive]


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """[B, N, heads*d] -> [B, heads, N, d]"""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """[B, heads, N, d] -> [B, N, heads*d]"""
    return tokens.transpose(1, 2).flatten(-2)


def plain_attention(q: Tensor, k: Tensor, v: Tensor, extra: dict[str, Any]) -> Tensor:
    """What ComfyUI would compute without a replacement; overrides of other nodes still apply. [B, N, heads*d]"""
    precision = extra.get("attn_precision")
    return optimized_attention(q, k, v, extra["n_heads"], attn_precision=precision, transformer_options=extra)
