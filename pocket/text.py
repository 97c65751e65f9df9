"""A tiny CLIP text encoder for the words of the pocket world, with ComfyUI's parameter names and token ids.

The embedding table holds only the tokens that captions use (`TOKENS`); `expand_vocabulary` turns it into the full
CLIP table, in which every unknown token looks like the average known one.
"""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

CLIP_VOCABULARY = 49408
START, END = 49406, 49407
LENGTH = 77
_WORD_FILE = Path(__file__).with_name("words.json")


@dataclass(frozen=True)
class TextConfig:
    """Sizes of the encoder, in ComfyUI's names."""

    hidden_size: int = 64
    intermediate_size: int = 128
    num_attention_heads: int = 4
    num_hidden_layers: int = 2

    def as_dict(self) -> dict[str, int]:
        """Plain data: a JSON header, or ComfyUI's `clip_l_model_config`."""
        return asdict(self)


@cache
def words() -> dict[str, list[int]]:
    """Word -> its CLIP token ids, for every word a caption can hold."""
    return json.loads(_WORD_FILE.read_text(encoding="ascii"))


@cache
def known_tokens() -> tuple[int, ...]:
    """CLIP ids of the rows of the small embedding table, in order."""
    used = {token for tokens in words().values() for token in tokens}
    return (*sorted(used), START, END)


def tokenize(captions: list[str]) -> Tensor:
    """Captions -> CLIP ids [B, 77]: start, words, then end tokens to the end, as ComfyUI's SD1 tokenizer does.

    Raises ValueError for a word that the pocket world does not know.
    """
    rows = []
    for text in captions:
        unknown = [word for word in text.split() if word not in words()]
        if unknown:
            raise ValueError(f"The pocket world's text encoder does not know {', '.join(map(repr, unknown))}.")
        ids = [START, *(token for word in text.split() for token in words()[word])]
        rows.append(ids + [END] * (LENGTH - len(ids)))
    return torch.tensor(rows)


def expand_vocabulary(rows: Tensor, tokens: tuple[int, ...] | None = None) -> Tensor:
    """Small embedding table [N, D] for CLIP ids `tokens` (default: `known_tokens()`) -> full table [49408, D].

    Unknown tokens get the mean of the word rows (the start and end rows, the last two, left out).
    """
    tokens = known_tokens() if tokens is None else tokens
    if len(tokens) != len(rows):
        raise ValueError(f"The embedding table has {len(rows)} rows for {len(tokens)} tokens.")
    table = rows[:-2].float().mean(0).to(rows.dtype).repeat(CLIP_VOCABULARY, 1)
    table[list(tokens)] = rows
    return table


class _Embeddings(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(len(known_tokens()), width)
        self.position_embedding = nn.Embedding(LENGTH, width)
        nn.init.normal_(self.token_embedding.weight, std=0.2)
        nn.init.normal_(self.position_embedding.weight, std=0.05)


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj, self.k_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.v_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (
            to(x).unflatten(2, (self.heads, -1)).transpose(1, 2) for to in (self.q_proj, self.k_proj, self.v_proj)
        )
        out = F.scaled_dot_product_attention(q, k, v, is_causal=True)
        return self.out_proj(out.transpose(1, 2).flatten(2))


class _MLP(nn.Module):
    def __init__(self, width: int, inner: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)

    def forward(self, x: Tensor) -> Tensor:
        x = self.fc1(x)
        return self.fc2(x * torch.sigmoid(1.702 * x))


class _Layer(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layer_norm1 = nn.LayerNorm(config.hidden_size)
        self.self_attn = _SelfAttention(config.hidden_size, config.num_attention_heads)
        self.layer_norm2 = nn.LayerNorm(config.hidden_size)
        self.mlp = _MLP(config.hidden_size, config.intermediate_size)

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        return x + self.mlp(self.layer_norm2(x))


class _Encoder(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.layers = nn.ModuleList(_Layer(config) for _ in range(config.num_hidden_layers))


class _TextModel(nn.Module):
    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.embeddings = _Embeddings(config.hidden_size)
        self.encoder = _Encoder(config)
        self.final_layer_norm = nn.LayerNorm(config.hidden_size)


class TextEncoder(nn.Module):
    """Keys as in ComfyUI's CLIP-L: text_model.embeddings..., text_model.encoder.layers...,
    text_model.final_layer_norm.
    """

    def __init__(self, config: TextConfig) -> None:
        super().__init__()
        self.config = config
        self.text_model = _TextModel(config)
        rows = torch.zeros(CLIP_VOCABULARY, dtype=torch.long)
        rows[list(known_tokens())] = torch.arange(len(known_tokens()))
        self.register_buffer("row_of", rows, persistent=False)

    def forward(self, tokens: Tensor) -> Tensor:
        """CLIP ids [B, 77] of known words -> text features [B, 77, hidden_size]."""
        embeddings = self.text_model.embeddings
        x = embeddings.token_embedding(self.row_of[tokens]) + embeddings.position_embedding.weight
        for layer in self.text_model.encoder.layers:
            x = layer(x)
        return self.text_model.final_layer_norm(x)
