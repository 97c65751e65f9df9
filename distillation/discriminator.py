"""The discriminator of CoModGAN: StyleGAN2's residual one, which sees an image together with what it is an edit of."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from .architecture import EditorConfig
from .generator import COARSEST
from .layers import Convolution, Linear, activated

GROUP = 4


class DownBlock(nn.Module):
    """[B, in_channels, H, W] -> [B, out_channels, H/2, W/2], with a straight way past the convolutions."""

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__()
        self.convolve = Convolution(in_channels, in_channels, 3)
        self.halve = Convolution(in_channels, out_channels, 3, halve=True)
        self.skip = Convolution(in_channels, out_channels, 1, halve=True, bias=False)

    def forward(self, values: Tensor) -> Tensor:
        features = activated(self.halve(activated(self.convolve(values))))
        return (features + self.skip(values)) / math.sqrt(2)


class Discriminator(nn.Module):
    """Edits and originals, [B, 3, S, S] each, around -1..1 -> scores [B]; the higher, the more real."""

    def __init__(self, architecture: EditorConfig) -> None:
        super().__init__()
        channels, levels = architecture.channels, architecture.levels
        self.first = Convolution(6, channels(levels - 1), 1)
        self.halvings = nn.Sequential(*(DownBlock(channels(r - 1), channels(r - 2)) for r in range(levels, 2, -1)))
        self.last = Convolution(channels(1) + 1, channels(1), 3)
        self.gather = Linear(channels(1) * COARSEST**2, channels(0))
        self.score = Linear(channels(0), 1)

    def forward(self, edits: Tensor, originals: Tensor) -> Tensor:
        values = activated(self.first(torch.cat([edits, originals], dim=1)))
        values = with_deviation(self.halvings(values))
        values = activated(self.last(values))
        return self.score(activated(self.gather(values.flatten(1))))[:, 0]


def with_deviation(values: Tensor) -> Tensor:
    """[B, C, H, W] -> [B, C + 1, H, W]: with the mean standard deviation within each group of up to four images.

    Groups are strided, as in the reference: with 8 images, 0, 2, 4, 6 and 1, 3, 5, 7. Of a number that is no multiple
    of four, groups of two, or of one, are made.
    """
    count, _, height, width = values.shape
    group = math.gcd(count, GROUP)
    groups = values.view(group, count // group, -1)
    deviation = (groups.var(0, unbiased=False) + 1e-8).sqrt().mean(1)
    return torch.cat([values, deviation.repeat(group).view(-1, 1, 1, 1).expand(-1, 1, height, width)], dim=1)
