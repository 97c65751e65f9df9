"""The layers of StyleGAN2 (Karras et al. 2020) that CoModGAN is made of.

All weights start as N(0, 1) and are scaled each time they are used, so that Adam moves all of them equally fast
(equalized learning rate).
"""

from __future__ import annotations

import math

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .resampling import smoothed


def activated(values: Tensor) -> Tensor:
    """LeakyReLU of slope 0.2, times sqrt(2), which keeps the variance."""
    return F.leaky_relu(values, 0.2) * math.sqrt(2)


class Linear(nn.Module):
    """[B, in_features] -> [B, out_features]. rate: how fast it learns, against the others."""

    def __init__(self, in_channels: int, out_channels: int, rate: float = 1.0) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels) / rate)
        self.bias = nn.Parameter(torch.zeros(out_channels))
        self.scale, self.rate = rate / math.sqrt(in_channels), rate

    def forward(self, values: Tensor) -> Tensor:
        return F.linear(values, self.weight * self.scale, self.bias * self.rate)


class Convolution(nn.Module):
    """[B, C_in, H, W] -> [B, C_out, H, W], or half the size with `halve` (sides must be even), without aliasing."""

    def __init__(
        self, in_channels: int, out_channels: int, kernel: int, *, halve: bool = False, bias: bool = True
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.bias = nn.Parameter(torch.zeros(out_channels)) if bias else None
        self.scale, self.kernel, self.halve = 1 / math.sqrt(in_channels * kernel * kernel), kernel, halve

    def forward(self, values: Tensor) -> Tensor:
        weight = self.weight * self.scale
        if not self.halve:
            return F.conv2d(values, weight, self.bias, padding=self.kernel // 2)
        if self.kernel == 1:
            return F.conv2d(smoothed(values, padding=1, stride=2), weight, self.bias)
        return F.conv2d(smoothed(values, padding=(self.kernel + 1) // 2), weight, self.bias, stride=2)


class ModulatedConvolution(nn.Module):
    """A convolution whose input channels are scaled by a style: [B, C_in, H, W], [B, style] -> [B, C_out, H, W].

    demodulate: divide every output channel by the norm of its scaled kernel. double: twice the size, without a grid.
    Scaling what goes in and what comes out is the same as scaling the kernel, and needs no kernel per image.
    """

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int,
        style: int,
        *,
        double: bool = False,
        demodulate: bool = True,
    ) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(out_channels, in_channels, kernel, kernel))
        self.affine = Linear(style, in_channels)
        self.scale, self.enlarges, self.demodulates = 1 / math.sqrt(in_channels * kernel * kernel), double, demodulate

    def forward(self, values: Tensor, style: Tensor) -> Tensor:
        weight = self.weight * self.scale
        factors = self.affine(style) + 1
        values = values * factors[..., None, None]
        if self.enlarges:
            spread = F.conv_transpose2d(values, weight.transpose(0, 1), stride=2)
            values = smoothed(spread, padding=1, gain=4.0)
        else:
            values = F.conv2d(values, weight, padding=weight.shape[-1] // 2)
        if not self.demodulates:
            return values
        squared_norms = F.linear(factors.square(), weight.square().sum((2, 3)))
        return values * torch.rsqrt(squared_norms + 1e-8)[..., None, None]


class StyledLayer(nn.Module):
    """Modulated 3 x 3 convolution, noise, bias, activation: [B, C_in, H, W] -> [B, C_out, H, W], or double the size.

    The noise is drawn from PyTorch's default generator: for every image while training; when applied, one for all, so
    that what becomes of an image does not hang on the others of its batch.
    """

    def __init__(self, in_channels: int, out_channels: int, style: int, *, double: bool = False) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(in_channels, out_channels, 3, style, double=double)
        self.strength = nn.Parameter(torch.zeros(()))
        self.bias = nn.Parameter(torch.zeros(out_channels, 1, 1))

    def forward(self, values: Tensor, style: Tensor) -> Tensor:
        values = self.convolution(values, style)
        noise = torch.randn_like(values[: None if self.training else 1, :1])
        return activated(values + self.strength * noise + self.bias)


class ToRGB(nn.Module):
    """Modulated 1 x 1 convolution to red, green and blue."""

    def __init__(self, in_channels: int, style: int) -> None:
        super().__init__()
        self.convolution = ModulatedConvolution(in_channels, 3, 1, style, demodulate=False)
        self.bias = nn.Parameter(torch.zeros(3, 1, 1))

    def forward(self, values: Tensor, style: Tensor) -> Tensor:
        return self.convolution(values, style) + self.bias
