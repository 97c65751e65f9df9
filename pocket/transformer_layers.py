"""Layers of the pocket transformer: the double and single blocks of Flux, in ComfyUI's names, without its hooks.

Every block is modulated by the time embedding (Peebles & Xie, arXiv 2212.09748, adaLN-Zero); positions enter by a
rotation of queries and keys (RoPE) of one axis for the kind of token and two for its row and column.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from einops import rearrange
from torch import Tensor, nn

Rotation = tuple[Tensor, Tensor]
"""(cos, sin) of the angle of every token and pair of channels, [N, d/2]."""


class _HeadNorm(nn.Module):
    """RMS norm of the channels of one head."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(channels))

    def forward(self, x: Tensor) -> Tensor:
        return F.rms_norm(x, x.shape[-1:], self.weight.to(x))


class _QueryKeyNorm(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.query_norm, self.key_norm = _HeadNorm(channels), _HeadNorm(channels)


class _Attention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv, self.norm, self.proj = (
            nn.Linear(width, 3 * width),
            _QueryKeyNorm(width // heads),
            nn.Linear(width, width),
        )

    def qkv_of(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        return _split(self.qkv(x), self.heads, self.norm)


class _Modulation(nn.Module):
    """Shift, scale and gate of one or two sub-layers, in this order. They start at zero."""

    def __init__(self, width: int, sublayers: int) -> None:
        super().__init__()
        self.lin = nn.Linear(width, 3 * sublayers * width)

    def forward(self, vec: Tensor) -> list[Tensor]:
        return list(self.lin(F.silu(vec))[:, None].split(vec.shape[-1], -1))


class TimeEmbedding(nn.Module):
    """Features of the time -> the vector that modulates the blocks."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.in_layer, self.out_layer = nn.Linear(features, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        return self.out_layer(F.silu(self.in_layer(x)))


class DoubleBlock(nn.Module):
    """Text and image have weights of their own and one attention over both, the text first."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.img_mod, self.txt_mod = _Modulation(width, 2), _Modulation(width, 2)
        self.img_attn, self.txt_attn = _Attention(width, heads), _Attention(width, heads)
        self.img_mlp, self.txt_mlp = _mlp(width, inner), _mlp(width, inner)

    def forward(self, image: Tensor, text: Tensor, vec: Tensor, rotation: Rotation) -> tuple[Tensor, Tensor]:
        of_text, of_image = self.txt_mod(vec), self.img_mod(vec)
        texts = self.txt_attn.qkv_of(modulated(text, *of_text[:2]))
        images = self.img_attn.qkv_of(modulated(image, *of_image[:2]))
        q, k, v = (torch.cat(pair, 2) for pair in zip(texts, images, strict=True))
        for_text, for_image = _attend(q, k, v, rotation).split([text.shape[1], image.shape[1]], 1)
        text = text + of_text[2] * self.txt_attn.proj(for_text)
        text = text + of_text[5] * self.txt_mlp(modulated(text, *of_text[3:5]))
        image = image + of_image[2] * self.img_attn.proj(for_image)
        image = image + of_image[5] * self.img_mlp(modulated(image, *of_image[3:5]))
        return image, text


class SingleBlock(nn.Module):
    """One sequence of text and image; attention and MLP side by side."""

    def __init__(self, width: int, heads: int, inner: int) -> None:
        super().__init__()
        self.heads, self.sizes = heads, [3 * width, inner]
        self.modulation, self.norm = _Modulation(width, 1), _QueryKeyNorm(width // heads)
        self.linear1, self.linear2 = nn.Linear(width, sum(self.sizes)), nn.Linear(width + inner, width)

    def forward(self, x: Tensor, vec: Tensor, rotation: Rotation) -> Tensor:
        shift, scale, gate = self.modulation(vec)
        qkv, hidden = self.linear1(modulated(x, shift, scale)).split(self.sizes, -1)
        attended = _attend(*_split(qkv, self.heads, self.norm), rotation)
        return x + gate * self.linear2(torch.cat([attended, F.gelu(hidden, approximate="tanh")], -1))


class OutputLayer(nn.Module):
    """Tokens -> pixels of their patches."""

    def __init__(self, width: int, out: int) -> None:
        super().__init__()
        self.linear = nn.Linear(width, out)
        self.adaLN_modulation = nn.Sequential(nn.SiLU(), nn.Linear(width, 2 * width))

    def forward(self, x: Tensor, vec: Tensor) -> Tensor:
        return self.linear(modulated(x, *self.adaLN_modulation(vec)[:, None].chunk(2, -1)))


def modulated(x: Tensor, shift: Tensor, scale: Tensor) -> Tensor:
    """Layer norm without weights of its own, then scale and shift."""
    return F.layer_norm(x, x.shape[-1:], eps=1e-6) * (1 + scale) + shift


def rotations(ids: Tensor, axes: tuple[int, ...], theta: float) -> Rotation:
    """RoPE (Su et al., arXiv 2104.09864) over several axes. ids: [N, len(axes)], where each token stands.

    axes: channels that each axis turns; the pairs of an axis turn at rates from 1 down to about 1 / theta.
    """
    angles = [
        ids[:, i : i + 1].double() / theta ** (torch.arange(0, width, 2, device=ids.device).double() / width)
        for i, width in enumerate(axes)
    ]
    together = torch.cat(angles, -1)
    return together.cos().float(), together.sin().float()


def _split(qkv: Tensor, heads: int, norm: _QueryKeyNorm) -> tuple[Tensor, Tensor, Tensor]:
    q, k, v = rearrange(qkv, "b n (three heads d) -> three b heads n d", three=3, heads=heads)
    return norm.query_norm(q), norm.key_norm(k), v


def _rotate(x: Tensor, rotation: Rotation) -> Tensor:
    cos, sin = rotation
    a, b = x.unflatten(-1, (-1, 2)).unbind(-1)
    return torch.stack([a * cos - b * sin, a * sin + b * cos], -1).flatten(-2)


def _attend(q: Tensor, k: Tensor, v: Tensor, rotation: Rotation) -> Tensor:
    out = F.scaled_dot_product_attention(_rotate(q, rotation).to(v), _rotate(k, rotation).to(v), v)
    return rearrange(out, "b heads n d -> b n (heads d)")


def _mlp(width: int, inner: int) -> nn.Sequential:
    return nn.Sequential(nn.Linear(width, inner), nn.GELU("tanh"), nn.Linear(inner, width))
