"""LPIPS (Zhang et al., CVPR 2018): how far apart two pictures look to a VGG-16 that was trained for something else."""

from __future__ import annotations

import re
from collections.abc import Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

WIDTHS = ((64, 64), (128, 128), (256, 256, 256), (512, 512, 512), (512, 512, 512))
"""Convolutions of the five blocks of VGG-16, with a pooling between blocks."""
SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and deviation, for pictures in -1..1."""


class PerceptualDistance(nn.Module):
    """Pictures [B, 3, H, W] in -1..1, twice -> distances [B]. Differentiable; its own weights do not learn."""

    def __init__(self) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(nn.Sequential() for _ in WIDTHS)
        given = 3
        for block, widths in zip(self.blocks, WIDTHS, strict=True):
            for width in widths:
                block.append(nn.Conv2d(given, width, 3, padding=1))
                given = width
        self.heads = nn.ModuleList(nn.Conv2d(widths[-1], 1, 1, bias=False) for widths in WIDTHS)
        self.register_buffer("shift", torch.tensor(SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        distances = [
            head((a - b).square()).mean((1, 2, 3))
            for head, a, b in zip(self.heads, self.features(first), self.features(second), strict=True)
        ]
        return torch.stack(distances).sum(0)

    def features(self, pictures: Tensor) -> list[Tensor]:
        """What the last convolution of every block says, of length 1 at every place."""
        values, found = (pictures - self.shift) / self.scale, []
        for number, block in enumerate(self.blocks):
            values = F.max_pool2d(values, 2) if number else values
            for convolution in block.children():
                values = F.relu(convolution(values))
            found.append(values / (values.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found


def load_lpips(state: Mapping[str, Tensor]) -> PerceptualDistance:
    """From the state of `lpips.LPIPS(net="vgg")`, or VGG-16 of torchvision with the linear layers of LPIPS beside it.

    Raises ValueError where a weight is missing or of another shape.
    """
    convolutions, heads = {}, {}
    for name, tensor in state.items():
        if match := re.fullmatch(r"(?:net\.slice\d|features)\.(\d+)\.(weight|bias)", name):
            convolutions[int(match[1]), match[2]] = tensor
        elif match := re.fullmatch(r"lin(\d)\.model\.1\.weight", name):
            heads[f"heads.{match[1]}.weight"] = tensor
    layers = [f"blocks.{block}.{place}" for block, widths in enumerate(WIDTHS) for place in range(len(widths))]
    numbers = sorted({number for number, _ in convolutions})
    found = {
        f"{layer}.{part}": convolutions[number, part]
        for layer, number in zip(layers, numbers, strict=False)
        for part in ("weight", "bias")
        if (number, part) in convolutions
    } | heads
    network = PerceptualDistance()
    needed = network.state_dict()
    missing = [name for name in needed if name not in found or found[name].shape != needed[name].shape]
    if missing or len(numbers) != len(layers) or len(heads) != len(WIDTHS):
        raise ValueError(
            f"These are no weights of LPIPS with VGG-16: {missing[0] if missing else 'the number of layers'} does not "
            "fit. Save the state of lpips.LPIPS(net='vgg') as .safetensors."
        )
    network.load_state_dict({name: tensor.float() for name, tensor in found.items()})
    return network
