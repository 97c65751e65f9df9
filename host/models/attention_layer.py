"""A self-attention layer while the network computes it, as every kind of network describes it; its rows and heads."""

from collections.abc import Hashable
from dataclasses import dataclass
from typing import Any

from torch import Tensor

POSITIVE, NEGATIVE = 0, 1  # how ComfyUI numbers the prompts of a forward
SIDES = {POSITIVE: "positive", NEGATIVE: "negative"}

Grid = tuple[int, int]  # (h, w)
Tokens = tuple[Tensor, Tensor, Tensor]
"""Queries, keys and values of a layer, or what they are made of, [rows, N, channels] each."""


@dataclass(frozen=True)
class AttentionLayer:
    """One self-attention layer in one forward.

    key: which layer of the model it is. heads: of its attention. fp32: whether the attention is to be computed so.
    grid: of its N image tokens. tokens: how many tokens there really are. latent_size: of the network's input.
    rows: of the forward, one batch of outputs for each of `prompts` (POSITIVE, NEGATIVE). uuids: of the conditionings,
        in the order of `prompts`; empty where who runs the network names none.
    joint: whether its sequence holds image and text, as in a transformer, in which no finer layer follows.
    """

    key: Hashable
    heads: int
    fp32: bool
    grid: Grid
    tokens: int
    latent_size: Grid
    rows: int
    prompts: tuple[int, ...]
    uuids: tuple[Any, ...] = ()
    joint: bool = False

    def rows_of(self, prompt: int) -> list[int]:
        """The rows of one prompt; none where the rows are not whole batches."""
        batch, rest = divmod(self.rows, len(self.prompts))
        return [] if rest else [row for row in range(self.rows) if self.prompts[row // batch] == prompt]


def split_heads(tokens: Tensor, heads: int) -> Tensor:
    """[B, N, heads*d] -> [B, heads, N, d]"""
    return tokens.unflatten(-1, (heads, -1)).transpose(1, 2)


def join_heads(tokens: Tensor) -> Tensor:
    """[B, heads, N, d] -> [B, N, heads*d]"""
    return tokens.transpose(1, 2).flatten(-2)
