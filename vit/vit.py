"""DINO's vision transformers, to look inside: tokens, queries, keys and values of any block.

DINO (Caron et al., ICCV 2021, github.com/facebookresearch/dino) and DINOv2 (Oquab et al., 2023, and with registers
Darcet et al., ICLR 2024, github.com/facebookresearch/dinov2) under the parameter names of their authors, whose files
load as they are. The weights say which of them it is, and in which precision it computes (float64 included).
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from ..storage.state_dict import are_finite
from ..storage.tensor_table import FLOATS

HEAD_WIDTH = 64
"""Channels of a head, in every published model."""
DEEPEST, LARGEST_PATCH = 64, 64
"""Blocks, and pixels along the side of a patch; published are up to 40, and 8 to 16."""


@dataclass(frozen=True)
class ViTOutput:
    """What a vision transformer sees in B images at one block.

    tokens: [B, T, D], the block's output, before the final norm. Token 0 is CLS; then come the registers, if any; then
        the patches, row by row.
    queries, keys, values: [B, T, D], as the block's attention gets them, its heads side by side.
    grid: (h, w), how many patches there are. registers: how many tokens stand between CLS and the patches.
    """

    tokens: Tensor
    queries: Tensor
    keys: Tensor
    values: Tensor
    grid: tuple[int, int]
    registers: int = 0

    @property
    def cls(self) -> Tensor:
        """[B, D], the token that stands for the whole image."""
        return self.tokens[:, 0]

    def on_grid(self, values: Tensor) -> Tensor:
        """The patches of one of the tensors above as a map: [B, T, D] -> [B, D, h, w]."""
        return values[:, 1 + self.registers :].mT.unflatten(2, self.grid)


@dataclass(frozen=True)
class ViTConfig:
    """The sizes of a vision transformer; see `load_vit` for how weights tell them."""

    width: int
    depth: int
    heads: int
    patch: int
    side: int
    """Patches along a side of the square image that the positions were learned for."""
    registers: int = 0
    layer_scale: bool = False


class VisionTransformer(nn.Module):
    """A frozen DINO ViT. `forward_features` reads any block; a call gives its own output, the normalized CLS."""

    def __init__(self, architecture: ViTConfig) -> None:
        super().__init__()
        self.architecture = architecture
        width, patch = architecture.width, architecture.patch
        self.patch_embed = nn.Sequential(OrderedDict(proj=nn.Conv2d(3, width, patch, stride=patch)))
        self.cls_token = nn.Parameter(torch.zeros(1, 1, width))
        self.pos_embed = nn.Parameter(torch.zeros(1, 1 + architecture.side**2, width))
        if architecture.registers:
            self.register_tokens = nn.Parameter(torch.zeros(1, architecture.registers, width))
        self.blocks = nn.ModuleList(
            Block(width, architecture.heads, architecture.layer_scale) for _ in range(architecture.depth)
        )
        self.norm = nn.LayerNorm(width, eps=1e-6)

    def forward(self, images: Tensor) -> Tensor:
        """[B, 3, H, W] normalized -> [B, D]."""
        return self.norm(self.forward_features(images).cls)

    def forward_features(self, images: Tensor, layer: int = -1, *, checkpointed: bool = False) -> ViTOutput:
        """What block `layer` (0 is the first, -1 the last) sees; no later block is computed.

        images: [B, 3, H, W], normalized (see `preprocess.vit_input`), of any size; rows and columns that do not fill
        a patch are not seen. checkpointed: where gradients flow, compute the blocks a second time instead of keeping
        what is in them. Raises ValueError for a block that is not there and for an image smaller than a patch.
        """
        depth, patch = self.architecture.depth, self.architecture.patch
        if not -depth <= layer < depth:
            raise ValueError(f"Layer {layer} is asked for, but this ViT has {depth}: choose 0 to {depth - 1}, or -1.")
        height, width = images.shape[-2:]
        if min(height, width) < patch:
            raise ValueError(
                f"An image of {width} x {height} pixels is smaller than one patch of this ViT ({patch} x {patch}); "
                "crop it to a less extreme shape, or raise the resolution."
            )
        patches = self.patch_embed(images.to(self.cls_token.dtype))
        grid = (patches.shape[-2], patches.shape[-1])
        tokens = torch.cat([self.cls_token.expand(len(patches), -1, -1), patches.flatten(2).mT], dim=1)
        tokens = tokens + self._positions(height, width, grid)
        if self.architecture.registers:
            registers = self.register_tokens.expand(len(patches), -1, -1)
            tokens = torch.cat([tokens[:, :1], registers, tokens[:, 1:]], dim=1)
        for block in self.blocks[: layer % depth + 1]:
            tokens, qkv = checkpoint(block, tokens, use_reentrant=False) if checkpointed else block(tokens)
        queries, keys, values = qkv.chunk(3, dim=-1)
        return ViTOutput(tokens, queries, keys, values, grid, self.architecture.registers)

    def _positions(self, height: int, width: int, grid: tuple[int, int]) -> Tensor:
        """Position embeddings [1, 1 + h*w, D] of an image of height x width pixels.

        DINO and DINOv2 enlarge the learned grid by a factor for 0.1 patches more than there are, which shifts where it
        is sampled; the models with registers enlarge it to the exact size, with antialiasing.
        """
        side = self.architecture.side
        if grid == (side, side) and height == width:
            return self.pos_embed
        learned = self.pos_embed[:, 1:].mT.unflatten(2, (side, side))
        learned = learned.to(torch.promote_types(learned.dtype, torch.float32))
        if self.architecture.registers:
            resized = F.interpolate(learned, size=grid, mode="bicubic", antialias=True)
        else:
            factors = ((grid[0] + 0.1) / side, (grid[1] + 0.1) / side)
            resized = F.interpolate(learned, scale_factor=factors, mode="bicubic")
        return torch.cat([self.pos_embed[:, :1], resized.flatten(2).mT.to(self.pos_embed.dtype)], dim=1)


class Block(nn.Module):
    """Attention, then a feed-forward network; each normalized first, scaled in DINOv2, and added."""

    def __init__(self, width: int, heads: int, layer_scale: bool) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(width, eps=1e-6)
        self.attn = Attention(width, heads)
        self.ls1 = LayerScale(width) if layer_scale else nn.Identity()
        self.norm2 = nn.LayerNorm(width, eps=1e-6)
        self.mlp = nn.Sequential(
            OrderedDict(fc1=nn.Linear(width, 4 * width), act=nn.GELU(), fc2=nn.Linear(4 * width, width))
        )
        self.ls2 = LayerScale(width) if layer_scale else nn.Identity()

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """[B, T, D] -> output [B, T, D]; queries, keys and values [B, T, 3 D]."""
        attended, qkv = self.attn(self.norm1(tokens))
        tokens = tokens + self.ls1(attended)
        return tokens + self.ls2(self.mlp(self.norm2(tokens))), qkv


class Attention(nn.Module):
    """Multi-head self-attention that also hands out its queries, keys and values."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(width, 3 * width)
        self.proj = nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> tuple[Tensor, Tensor]:
        qkv = self.qkv(tokens)
        q, k, v = (part.unflatten(2, (self.heads, -1)).transpose(1, 2) for part in qkv.chunk(3, dim=-1))
        attended = F.scaled_dot_product_attention(q, k, v)
        return self.proj(attended.transpose(1, 2).flatten(2)), qkv


class LayerScale(nn.Module):
    """A learned factor per channel (Touvron et al., ICCV 2021)."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.gamma = nn.Parameter(torch.ones(width))

    def forward(self, tokens: Tensor) -> Tensor:
        return tokens * self.gamma


def load_vit(state_dict: Mapping[str, Tensor], heads: int | None = None) -> VisionTransformer:
    """A ViT from weights under the names of its authors, which it shares; frozen, in their precision and position.

    heads: how many heads the width is split into, where they are not 64 wide.

    Raises ValueError saying what was found for weights of another architecture, for incomplete ones and for numbers
    that are not finite.
    """
    weights = {name: tensor for name, tensor in state_dict.items() if is_weight(name)}
    vit = empty_vit(weights, heads)
    _expect("hold NaN or infinite numbers in", [name for name, t in weights.items() if not are_finite({name: t})])
    vit.load_state_dict(weights, assign=True)
    return vit.requires_grad_(False).eval()


def is_weight(name: str) -> bool:
    """Whether a tensor of the authors' files is used; the others are for training only."""
    return name != "mask_token"


def empty_vit(weights: Mapping[str, Tensor], heads: int | None = None) -> VisionTransformer:
    """The network, on "meta", that weights are of; they may live there, too. Raises ValueError as `load_vit`."""
    architecture = _architecture(weights, heads)
    with torch.device("meta"):
        vit = VisionTransformer(architecture)
    needed = vit.state_dict()
    _expect("lack", [name for name in needed if name not in weights])
    _expect("also hold", [name for name in weights if name not in needed])
    fits = {name: t.dtype in FLOATS and t.shape == needed[name].shape for name, t in weights.items()}
    wrong = [f"{name} {list(weights[name].shape)} {weights[name].dtype}" for name in needed if not fits[name]]
    _expect("have another shape or type in", wrong)
    return vit


def _architecture(weights: Mapping[str, Tensor], heads: int | None) -> ViTConfig:
    """The sizes that the weights imply."""
    if any(".mlp.w12." in name for name in weights):
        raise ValueError(
            "These are the weights of a ViT with SwiGLU layers, such as DINOv2's ViT-g/14, which is not supported. "
            "Choose DINO ViT-S or ViT-B, or DINOv2 ViT-S, ViT-B or ViT-L."
        )
    landmarks = {"cls_token": 3, "pos_embed": 3, "patch_embed.proj.weight": 4, "blocks.0.attn.qkv.weight": 2}
    landmarks |= {"register_tokens": 3} if "register_tokens" in weights else {}
    if any(name not in weights or weights[name].ndim != dimensions for name, dimensions in landmarks.items()):
        raise ValueError(
            f"These weights are no DINO ViT: their tensors are {_some(list(weights))}, where cls_token, pos_embed, "
            "patch_embed.proj.weight and blocks.0.attn.qkv.weight are needed. Choose the backbone file of DINO or "
            "DINOv2 in the original format."
        )
    width = weights["cls_token"].shape[-1]
    positions = weights["pos_embed"].shape[1] - 1
    side = math.isqrt(max(positions, 0))
    if side == 0 or side**2 != positions:
        raise ValueError(f"These weights are no DINO ViT: their {positions} positions do not make a square.")
    heads = width // HEAD_WIDTH if heads is None else heads
    if heads < 1 or width % heads:
        raise ValueError(f"These weights are no DINO ViT: their width {width} cannot be split into {heads} heads.")
    numbers = {name.split(".")[1] for name in weights if name.startswith("blocks.")}
    depth, patch = len(numbers), weights["patch_embed.proj.weight"].shape[-1]
    if numbers != {str(number) for number in range(depth)} or depth > DEEPEST or not 1 <= patch <= LARGEST_PATCH:
        raise ValueError(
            f"These weights are no DINO ViT: they have {depth} blocks and patches of {patch} pixels, where blocks "
            f"numbered from 0, at most {DEEPEST}, and patches of at most {LARGEST_PATCH} pixels are needed."
        )
    return ViTConfig(
        width=width,
        depth=depth,
        heads=heads,
        patch=patch,
        side=side,
        registers=weights["register_tokens"].shape[1] if "register_tokens" in weights else 0,
        layer_scale="blocks.0.ls1.gamma" in weights,
    )


def _expect(verb: str, names: list[str]) -> None:
    """Refuse weights for the tensors named, if any."""
    if names:
        raise ValueError(
            f"These weights look like a DINO ViT, but they {verb} {_some(names)}. Download the file again, or choose "
            "another."
        )


def _some(names: list[str]) -> str:
    """The first few of many names."""
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(name[:100] for name in names[:3]) + more
