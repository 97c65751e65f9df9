"""A lean training copy of the SD1.x U-Net (Rombach et al., CVPR 2022): ComfyUI's parameter names, none of its hooks.

ComfyUI builds the same network as `comfy.ldm.modules.diffusionmodules.openaimodel.UNetModel`; weights move between
the two unchanged, which tests/host/test_pocket_equals_host.py checks.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass

import torch
from torch import Tensor, nn

from .unet_layers import Downsample, ResBlock, SpatialTransformer, Stage, Stem, Upsample, zero_


@dataclass(frozen=True)
class UNetConfig:
    """Sizes of the network. Self- and cross-attention follow every residual block of every level, and stand in the
    middle.
    """

    model_channels: int = 64
    channel_mult: tuple[int, ...] = (1, 2, 4)
    num_res_blocks: int = 1
    num_heads: int = 4
    context_dim: int = 64
    latent_channels: int = 4

    def host_arguments(self) -> dict[str, object]:
        """Keyword arguments with which ComfyUI's UNetModel becomes this network."""
        levels, blocks = len(self.channel_mult), self.num_res_blocks
        return {
            "image_size": 32,
            "in_channels": self.latent_channels,
            "out_channels": self.latent_channels,
            "model_channels": self.model_channels,
            "num_res_blocks": [blocks] * levels,
            "channel_mult": list(self.channel_mult),
            "num_heads": self.num_heads,
            "num_head_channels": -1,
            "context_dim": self.context_dim,
            "transformer_depth": [1] * (levels * blocks),
            "transformer_depth_middle": 1,
            "transformer_depth_output": [1] * (levels * (blocks + 1)),
            "use_spatial_transformer": True,
            "use_linear_in_transformer": False,
            "legacy": False,
        }

    def as_dict(self) -> dict[str, object]:
        """Plain data for a JSON header."""
        return asdict(self) | {"channel_mult": list(self.channel_mult)}


class UNet(nn.Module):
    """Predicts the noise in a latent. Output starts at zero."""

    def __init__(self, config: UNetConfig) -> None:
        super().__init__()
        self.config = config
        base = config.model_channels
        emb = base * 4
        self.time_embed = nn.Sequential(nn.Linear(base, emb), nn.SiLU(), nn.Linear(emb, emb))
        widths, channels = self._build_encoder(config, emb)
        self.middle_block = Stage(
            ResBlock(channels, channels, emb), self._attention(channels), ResBlock(channels, channels, emb)
        )
        self._build_decoder(config, emb, widths, channels)
        self.out = nn.Sequential(
            nn.GroupNorm(32, base), nn.SiLU(), nn.Conv2d(base, config.latent_channels, 3, padding=1)
        )
        zero_(self.out[-1])

    def _build_encoder(self, config: UNetConfig, emb: int) -> tuple[list[int], int]:
        channels = config.model_channels
        stages, widths = [Stage(Stem(config.latent_channels, channels, 3, padding=1))], [channels]
        for level, mult in enumerate(config.channel_mult):
            for _ in range(config.num_res_blocks):
                width = mult * config.model_channels
                stages.append(Stage(ResBlock(channels, width, emb), self._attention(width)))
                channels = width
                widths.append(channels)
            if level < len(config.channel_mult) - 1:
                stages.append(Stage(Downsample(channels)))
                widths.append(channels)
        self.input_blocks = nn.ModuleList(stages)
        return widths, channels

    def _build_decoder(self, config: UNetConfig, emb: int, widths: list[int], channels: int) -> None:
        stages = []
        for level, mult in reversed(list(enumerate(config.channel_mult))):
            width = mult * config.model_channels
            for block in range(config.num_res_blocks + 1):
                layers = [ResBlock(channels + widths.pop(), width, emb), self._attention(width)]
                channels = width
                if level > 0 and block == config.num_res_blocks:
                    layers.append(Upsample(channels))
                stages.append(Stage(*layers))
        self.output_blocks = nn.ModuleList(stages)

    def _attention(self, width: int) -> SpatialTransformer:
        return SpatialTransformer(width, self.config.num_heads, self.config.context_dim)

    def forward(self, x: Tensor, timesteps: Tensor, context: Tensor) -> Tensor:
        """x [B, 4, h, w] at unit variance (x_t = sqrt(ab) x0 + sqrt(1 - ab) eps), timesteps [B] in 0..999, context
        [B, T, context_dim] -> predicted eps [B, 4, h, w]. h and w must be multiples of 4.
        """
        emb = self.time_embed(time_features(timesteps, self.config.model_channels))
        skips = []
        for stage in self.input_blocks:
            x = stage(x, emb, context)
            skips.append(x)
        x = self.middle_block(x, emb, context)
        for stage in self.output_blocks:
            x = stage(torch.cat([x, skips.pop()], dim=1), emb, context)
        return self.out(x)


def time_features(timesteps: Tensor, width: int) -> Tensor:
    """Cosines, then sines, of the timestep at geometrically spaced frequencies from 1 to 1/10000: [B, width]."""
    half = width // 2
    rates = torch.exp(-math.log(10000.0) * torch.arange(half, dtype=torch.float32, device=timesteps.device) / half)
    angles = timesteps[:, None].float() * rates[None]
    return torch.cat([torch.cos(angles), torch.sin(angles)], dim=-1)
