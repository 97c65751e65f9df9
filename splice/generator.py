"""The generator of Splice: a U-Net with narrow skips, after Deep Image Prior (Tumanyan et al. 2022, appendix A.1).

It maps an image to an image of the same size. The same family inverts ViT features (section 3.2 of the paper), with
one level more, larger kernels and reflection padding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

SMALLEST_SIDE = 64
"""Pixels. Below, the coarsest of five levels has one row or column only and its statistics mean nothing."""


@dataclass(frozen=True)
class GeneratorConfig:
    """The shape of a generator; the defaults are those of Splice (1,037,523 parameters)."""

    inputs: int = 3
    """Channels of the input."""
    widths: Sequence[int] = (16, 32, 64, 128, 128)
    """Channels of every level, the finest first."""
    kernels: Sequence[int] = (3, 3, 3, 3, 3)
    """Odd side of the wide kernels of every level; the others are 1x1."""
    skip: int = 4
    """Channels that go past the coarser levels, at every level."""
    padding: Literal["zeros", "reflect"] = "zeros"


class SkipGenerator(nn.Module):
    """[B, inputs, H, W] -> [B, 3, H, W] in 0..1. Every image is normalized by its own statistics, in every mode.

    Starts with PyTorch's initial weights; `initialize` gives those of Splice.
    """

    def __init__(self, architecture: GeneratorConfig | None = None) -> None:
        super().__init__()
        self.architecture = architecture or GeneratorConfig()
        self.levels = GeneratorLevel(self.architecture)
        self.head = nn.Conv2d(self.architecture.widths[0], 3, 1)

    def forward(self, images: Tensor) -> Tensor:
        return torch.sigmoid(self.head(self.levels(images)))


class GeneratorLevel(nn.Module):
    """One level of the U-Net with all coarser ones inside: [B, in, H, W] -> [B, widths[depth], H, W].

    The parameters come in the order of the reference code (skip, down, coarser levels, up).
    """

    def __init__(self, architecture: GeneratorConfig, depth: int = 0) -> None:
        super().__init__()
        widths, kernel = architecture.widths, architecture.kernels[depth]
        deepest = depth == len(widths) - 1
        in_channels = widths[depth - 1] if depth else architecture.inputs
        width = widths[depth]
        joined = architecture.skip + (width if deepest else widths[depth + 1])
        padding = architecture.padding
        self.skip = _convolution(in_channels, architecture.skip)
        self.down = nn.Sequential(
            _convolution(in_channels, width, kernel, 2, padding), _convolution(width, width, kernel, 1, padding)
        )
        self.coarser = nn.Identity() if deepest else GeneratorLevel(architecture, depth + 1)
        self.balance = nn.InstanceNorm2d(joined, affine=True)
        self.up = nn.Sequential(_convolution(joined, width, kernel, 1, padding), _convolution(width, width))

    def forward(self, values: Tensor) -> Tensor:
        height, width = values.shape[-2:]
        coarse = F.interpolate(self.coarser(self.down(values)), scale_factor=2, mode="bilinear", align_corners=False)
        # Halving rounds up, so that an odd side comes back one too long.
        joined = torch.cat([self.skip(values), coarse[..., :height, :width]], dim=1)
        return self.up(self.balance(joined))


def _convolution(
    in_channels: int,
    width: int,
    kernel: int = 1,
    stride: int = 1,
    padding: Literal["zeros", "reflect"] = GeneratorConfig.padding,
) -> nn.Sequential:
    """Convolution, norm, LeakyReLU. Batch normalization over the one image at hand is instance normalization."""
    return nn.Sequential(
        nn.Conv2d(in_channels, width, kernel, stride, padding=kernel // 2, padding_mode=padding),
        nn.InstanceNorm2d(width, affine=True),
        nn.LeakyReLU(0.2),
    )


def initialize(generator: SkipGenerator, seed: int) -> None:
    """The initial weights of Splice, in place, of a generator on the CPU: an almost flat gray image whatever the
    input.

    Kernels Xavier-normal with gain 0.02, their biases 0; scales of the norms N(1, 0.02), their biases 0.
    """
    random = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for module in generator.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_normal_(module.weight, gain=0.02, generator=random)
            elif isinstance(module, nn.InstanceNorm2d):
                module.weight.normal_(1.0, 0.02, generator=random)
        for name, parameter in generator.named_parameters():
            if name.endswith("bias"):
                parameter.zero_()


def check_side(image: Tensor, name: str) -> None:
    """Refuse an image [B, C, H, W] that is too small for the generator. Raises ValueError naming it."""
    height, width = image.shape[-2:]
    if min(height, width) < SMALLEST_SIDE:
        raise ValueError(
            f"The {name} has {width} x {height} pixels, but the Splice generator needs at least {SMALLEST_SIDE} on "
            "each side; enlarge it first."
        )
