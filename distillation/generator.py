"""The generator of CoModGAN (Zhao et al., ICLR 2021): an image goes in, its edit comes out, in one pass.

An encoder gives a map of every size, added to the synthesis at that size, and a global code of the whole image. The
style of every layer is made of both, noise and image ("co-modulation"): of concat(w, code).
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from .architecture import EditorConfig
from .layers import Convolution, Linear, StyledLayer, ToRGB, activated
from .mapping import Mapping
from .resampling import upsampled

DROPOUT = 0.5
COARSEST = 4
"""Side of the smallest maps, in positions."""


class Encoder(nn.Module):
    """Images [B, 3, S, S] -> maps, the finest [B, C, S, S] first and 4 x 4 last, and the code [B, code]."""

    def __init__(self, architecture: EditorConfig) -> None:
        super().__init__()
        channels = architecture.channels
        stages = range(architecture.levels, 2, -1)
        self.first = Convolution(3, channels(architecture.levels - 1), 1)
        self.looks = nn.ModuleList(Convolution(channels(r - 1), channels(r - 1), 3) for r in stages)
        self.halvings = nn.ModuleList(Convolution(channels(r - 1), channels(r - 2), 3, halve=True) for r in stages)
        self.last = Convolution(channels(1), channels(1), 3)
        self.code = Linear(channels(1) * COARSEST**2, architecture.code)
        self.dropout = nn.Dropout(DROPOUT)

    def forward(self, images: Tensor) -> tuple[list[Tensor], Tensor]:
        maps = []
        values = activated(self.first(images))
        for convolve, halving in zip(self.looks, self.halvings, strict=True):
            maps.append(activated(convolve(values)))
            values = activated(halving(maps[-1]))
        maps.append(activated(self.last(values)))
        return maps, self.dropout(activated(self.code(maps[-1].flatten(1))))


class SynthesisBlock(nn.Module):
    """Twice the size: what is known so far, and what the encoder saw at that size, to a finer image."""

    def __init__(self, in_channels: int, out_channels: int, style: int) -> None:
        super().__init__()
        self.enlarge = StyledLayer(in_channels, out_channels, style, double=True)
        self.refine = StyledLayer(out_channels, out_channels, style)
        self.image = ToRGB(out_channels, style)

    def forward(self, values: Tensor, image: Tensor, seen: Tensor, style: Tensor) -> tuple[Tensor, Tensor]:
        values = self.refine(self.enlarge(values, style) + seen, style)
        return values, upsampled(image) + self.image(values, style)


class Generator(nn.Module):
    """Images [B, 3, S, S] around -1..1 and noise z [B or 1, style] -> their edits, [B, 3, S, S] around -1..1.

    In training mode half of the code is dropped, and noise differs from image to image. In eval mode nothing is
    dropped; the reference drops there, too, so that its images change from call to call.
    """

    def __init__(self, architecture: EditorConfig) -> None:
        super().__init__()
        self.architecture = architecture
        channels, style = architecture.channels, architecture.style + architecture.code
        self.mapping = Mapping(architecture.style)
        self.encoder = Encoder(architecture)
        self.start = Linear(architecture.code, channels(1) * COARSEST**2)
        self.coarsest = StyledLayer(channels(1), channels(1), style)
        self.image = ToRGB(channels(1), style)
        self.stages = nn.ModuleList(
            SynthesisBlock(channels(r - 2), channels(r - 1), style) for r in range(3, architecture.levels + 1)
        )

    def forward(self, images: Tensor, z: Tensor, variation: float = 1.0) -> Tensor:
        maps, code = self.encoder(images)
        w = self.mapping(z, variation)
        style = torch.cat([w.expand(len(code), -1), code], dim=1)
        coarsest, *finer = reversed(maps)
        values = activated(self.start(code)).view_as(coarsest) + coarsest
        values = self.coarsest(values, style)
        image = self.image(values, style)
        for stage, seen in zip(self.stages, finer, strict=True):
            values, image = stage(values, image, seen, style)
        return image
