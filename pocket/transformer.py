"""A lean training copy of Flux's transformer in pocket size: ComfyUI's parameter names, none of its hooks.

ComfyUI builds the same network as `comfy.ldm.flux.model.Flux`; weights move between the two unchanged, which
tests/host/test_pocket_transformer.py checks. It predicts the velocity noise - image of flow matching
(Lipman et al., arXiv 2210.02747) on x = (1 - sigma) * image + sigma * noise.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

import torch
from einops import rearrange
from torch import Tensor, nn

from .transformer_layers import DoubleBlock, OutputLayer, SingleBlock, TimeEmbedding, rotations
from .unet import time_features

_TIME_FEATURES = 256
_ZERO_AT_START = ("mod.lin", "modulation.lin", "adaLN_modulation.1", "final_layer.linear")


@dataclass(frozen=True)
class TransformerConfig:
    """Sizes of the network, in ComfyUI's names where it has one. `text_tokens`: of the text encoder, those it reads."""

    latent_channels: int = 4
    context_dim: int = 64
    text_tokens: int = 16
    hidden_size: int = 256
    num_heads: int = 4
    depth: int = 2
    depth_single_blocks: int = 6
    mlp_ratio: int = 2
    axes_dim: tuple[int, ...] = (16, 24, 24)
    theta: int = 10_000
    patch_size: int = 2

    def host_arguments(self) -> dict[str, object]:
        """Keyword arguments with which ComfyUI's Flux becomes this network."""
        return {
            "image_model": "flux",
            "in_channels": self.latent_channels,
            "out_channels": self.latent_channels,
            "vec_in_dim": None,
            "context_in_dim": self.context_dim,
            "hidden_size": self.hidden_size,
            "mlp_ratio": float(self.mlp_ratio),
            "num_heads": self.num_heads,
            "depth": self.depth,
            "depth_single_blocks": self.depth_single_blocks,
            "axes_dim": list(self.axes_dim),
            "theta": self.theta,
            "patch_size": self.patch_size,
            "qkv_bias": True,
            "guidance_embed": False,
            "txt_ids_dims": [],
        }

    def as_dict(self) -> dict[str, object]:
        """Plain data for a JSON header."""
        return asdict(self) | {"axes_dim": list(self.axes_dim)}


class Transformer(nn.Module):
    """Predicts the velocity of a latent. Every block starts as the identity and the output at zero."""

    def __init__(self, config: TransformerConfig) -> None:
        super().__init__()
        self.config = config
        width, pixels = config.hidden_size, config.latent_channels * config.patch_size**2
        sizes = width, config.num_heads, width * config.mlp_ratio
        self.img_in, self.txt_in = nn.Linear(pixels, width), nn.Linear(config.context_dim, width)
        self.time_in = TimeEmbedding(_TIME_FEATURES, width)
        self.double_blocks = nn.ModuleList(DoubleBlock(*sizes) for _ in range(config.depth))
        self.single_blocks = nn.ModuleList(SingleBlock(*sizes) for _ in range(config.depth_single_blocks))
        self.final_layer = OutputLayer(width, pixels)

    @torch.no_grad()
    def start(self) -> None:
        """Fresh weights: Xavier's, and zero where a block or the output is switched on by training."""
        for module in self.modules():
            if isinstance(module, nn.Linear):
                nn.init.xavier_uniform_(module.weight)
                nn.init.zeros_(module.bias)
        for name, parameter in self.named_parameters():
            if any(part in name for part in _ZERO_AT_START):
                nn.init.zeros_(parameter)

    def forward(self, x: Tensor, sigma: Tensor, context: Tensor) -> Tensor:
        """x [B, 4, h, w], sigma [B] in 0..1, context [B, T, context_dim] -> velocity [B, 4, h, w].

        h and w must be multiples of the patch size.
        """
        p = self.config.patch_size
        grid = x.shape[-2] // p, x.shape[-1] // p
        image = self.img_in(rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=p, q=p))
        text = self.txt_in(context)
        vec = self.time_in(time_features(1000 * sigma, _TIME_FEATURES))
        rotation = rotations(self._positions(text.shape[1], grid, x.device), self.config.axes_dim, self.config.theta)
        for double in self.double_blocks:
            image, text = double(image, text, vec, rotation)
        both = torch.cat([text, image], 1)
        for single in self.single_blocks:
            both = single(both, vec, rotation)
        patches = self.final_layer(both[:, text.shape[1] :], vec)
        return rearrange(patches, "b (h w) (c p q) -> b c (h p) (w q)", h=grid[0], p=p, q=p)

    @staticmethod
    def _positions(text: int, grid: tuple[int, int], device: torch.device) -> Tensor:
        """[N, 3]: the text at the origin, the image's tokens at (0, row, column)."""
        rows, columns = torch.meshgrid(*(torch.arange(side, device=device) for side in grid), indexing="ij")
        image = torch.stack([torch.zeros_like(rows), rows, columns], -1).flatten(0, 1)
        return torch.cat([image.new_zeros(text, 3), image])
