"""The classifier: a small network that says which part of the animal each pixel of any pocket image shows.

Rendered images come with the truth; generated ones do not. This network, trained on renderings alone, labels those,
so that silhouettes and part colors of generated images can be measured. No method of the pack uses it.
"""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors import safe_open
from safetensors.torch import load_file
from torch import Tensor, nn

from .scene import PARTS

WEIGHTS = Path(__file__).with_name("segmenter.safetensors")
SIZE = 128
_WIDTHS = (16, 32, 64, 96)


def _layer(inputs: int, outputs: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(inputs, outputs, 3, stride=stride, padding=1, bias=False), nn.GroupNorm(8, outputs), nn.ReLU()
    )


class Segmenter(nn.Module):
    """A four-level encoder-decoder that works from half to a sixteenth of the image's size."""

    def __init__(self) -> None:
        super().__init__()
        first, *rest = _WIDTHS
        self.down = nn.ModuleList([_layer(12, first)])
        for inputs, outputs in zip(_WIDTHS, rest, strict=False):
            self.down.append(nn.Sequential(_layer(inputs, outputs, stride=2), _layer(outputs, outputs)))
        self.up = nn.ModuleList(
            _layer(below + skip, skip) for below, skip in zip(_WIDTHS[:0:-1], _WIDTHS[-2::-1], strict=True)
        )
        self.out = nn.Conv2d(first + 12, 4 * len(PARTS), 3, padding=1)

    def forward(self, images: Tensor) -> Tensor:
        """images [B, 3, H, W] in 0..1, H and W multiples of 16 -> logits over PARTS [B, 7, H, W]."""
        fine = F.pixel_unshuffle(images * 2.0 - 1.0, 2)
        x, skips = fine, []
        for stage in self.down:
            x = stage(x)
            skips.append(x)
        x = skips.pop()
        for stage in self.up:
            x = stage(torch.cat([F.interpolate(x, scale_factor=2.0), skips.pop()], dim=1))
        return F.pixel_shuffle(self.out(torch.cat([x, fine], dim=1)), 2)


@torch.no_grad()
def segment_parts(images: Tensor) -> Tensor:
    """Label images: [B, H, W, 3] in 0..1 -> int64 [B, H, W], indexes into PARTS.

    Images of another size are judged at 128 px and the labels brought back to the given size.
    """
    if images.dim() != 4 or images.shape[-1] != 3:
        raise ValueError(f"Images must have shape [B, H, W, 3], not {list(images.shape)}.")
    x = images.permute(0, 3, 1, 2).float()
    size = tuple(x.shape[2:])
    if size != (SIZE, SIZE):
        x = F.interpolate(x, (SIZE, SIZE), mode="bilinear", antialias=True)
    logits = _trained().to(x.device)(x.clamp(0.0, 1.0))
    if size != (SIZE, SIZE):
        logits = F.interpolate(logits, size, mode="bilinear")
    return logits.argmax(1)


def segmenter_metadata() -> dict[str, float]:
    """What the weights' header says: held-out pixel accuracy, silhouette IoU, samples seen."""
    with safe_open(WEIGHTS, "pt") as file:
        return json.loads(file.metadata()["segmenter"])


@cache
def _trained() -> Segmenter:
    model = Segmenter()
    model.load_state_dict({name: value.float() for name, value in load_file(WEIGHTS).items()})
    return model.requires_grad_(False).eval()
