"""The networks that perceptual measures look through: VGG-16 and VGG-19 (Simonyan and Zisserman, ICLR 2015, table 1, D
and E) and AlexNet (Krizhevsky, arXiv 1404.5997), of which only the convolutions are needed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from ..storage.state_dict import are_finite
from ..storage.tensor_table import FLOATS

SHIFT, SCALE = (-0.030, -0.088, -0.188), (0.458, 0.448, 0.450)
"""ImageNet's mean and deviation, for images in -1..1."""
CONVOLUTION = re.compile(r"(?:net\.slice\d|features)\.(\d{1,3})\.(weight|bias)", re.ASCII)
"""How `lpips` and torchvision name them, with their position among all layers."""


@dataclass(frozen=True)
class Convolution:
    width: int
    kernel: int = 3
    stride: int = 1
    padding: int = 1


@dataclass(frozen=True)
class BackboneConfig:
    """blocks: convolutions between two positions where a measure may read. pooled: the blocks that begin with a pooling
    by two, over windows of `window` pixels. smallest: the shorter side of an image that something is left of.
    """

    name: str
    blocks: tuple[tuple[Convolution, ...], ...]
    pooled: tuple[int, ...]
    window: int
    smallest: int

    @property
    def convolutions(self) -> int:
        return sum(map(len, self.blocks))


def _vgg(name: str, *depths: int) -> BackboneConfig:
    widths = (64, 128, 256, 512, 512)
    blocks = tuple((Convolution(width),) * depth for width, depth in zip(widths, depths, strict=True))
    return BackboneConfig(name, blocks, pooled=(1, 2, 3, 4), window=2, smallest=16)


VGG16, VGG19 = _vgg("VGG-16", 2, 2, 3, 3, 3), _vgg("VGG-19", 2, 2, 4, 4, 4)
ALEXNET = BackboneConfig(
    "AlexNet",
    (
        (Convolution(64, kernel=11, stride=4, padding=2),),
        (Convolution(192, kernel=5, padding=2),),
        (Convolution(384),),
        (Convolution(256),),
        (Convolution(256),),
    ),
    pooled=(1, 2),
    window=3,
    smallest=31,
)


class Backbone(nn.Module):
    """Images [B, 3, H, W] in -1..1 -> what their convolutions say. Differentiable; its own weights do not learn."""

    shift: Tensor
    scale: Tensor

    def __init__(self, architecture: BackboneConfig) -> None:
        super().__init__()
        self.architecture = architecture
        self.blocks = nn.ModuleList()
        in_channels = 3
        for convolutions in architecture.blocks:
            block = nn.ModuleList()
            for c in convolutions:
                block.append(nn.Conv2d(in_channels, c.width, c.kernel, c.stride, c.padding))
                in_channels = c.width
            self.blocks.append(block)
        self.register_buffer("shift", torch.tensor(SHIFT).view(3, 1, 1), persistent=False)
        self.register_buffer("scale", torch.tensor(SCALE).view(3, 1, 1), persistent=False)
        self.requires_grad_(False)

    @property
    def positions(self) -> list[str]:
        """Names of the convolutions, in their order."""
        return [name for name, module in self.named_modules() if isinstance(module, nn.Conv2d)]

    def forward(self, images: Tensor) -> Iterator[list[Tensor]]:
        """Block by block, what each of its convolutions says after the rectifier, [B, C, h, w] each.

        Raises ValueError for images of which the last block would see nothing.
        """
        if min(images.shape[-2:]) < self.architecture.smallest:
            raise ValueError(
                f"An image of {images.shape[-1]} x {images.shape[-2]} pixels is too small for "
                f"{self.architecture.name}, which needs {self.architecture.smallest} at least; enlarge the images."
            )
        values = (images - self.shift) / self.scale
        for number, block in enumerate(self.blocks):
            if number in self.architecture.pooled:
                values = F.max_pool2d(values, self.architecture.window, stride=2)
            layers = []
            for convolution in block.children():
                values = F.relu(convolution(values))
                layers.append(values)
            yield layers


def load_backbone(state: Mapping[str, Tensor]) -> Backbone:
    """From the state of torchvision's `vgg16`, `vgg19` or `alexnet`, or of `lpips.LPIPS`; the rest of it is left out.

    Raises ValueError where a weight is missing, of another shape or not finite.
    """
    numbered: dict[int, dict[str, Tensor]] = {}
    for name, tensor in state.items():
        if match := CONVOLUTION.fullmatch(name):
            parts = numbered.setdefault(int(match[1]), {})
            if match[2] in parts:
                raise unfit(f"the {match[2]} of convolution {match[1]} is there twice")
            check_numbers(name, tensor)
            parts[match[2]] = tensor
    known = {architecture.convolutions: architecture for architecture in (VGG16, VGG19, ALEXNET)}
    if len(numbered) not in known:
        raise unfit(f"{len(numbered)} convolutions are no VGG-16, VGG-19 or AlexNet")
    backbone = Backbone(known[len(numbered)])
    placed = zip(backbone.positions, (numbered[number] for number in sorted(numbered)), strict=True)
    fill(backbone, {f"{position}.{part}": tensor for position, found in placed for part, tensor in found.items()})
    return backbone


def fill(network: nn.Module, found: Mapping[str, Tensor]) -> None:
    """Give a network its weights. Raises ValueError where one is missing or of another shape.

    Both may live on "meta", to be compared before there are numbers.
    """
    for name, expected in network.state_dict().items():
        if name not in found:
            raise unfit(f"{name} is missing")
        if found[name].shape != expected.shape:
            raise unfit(f"{name} has the shape {list(found[name].shape)} in the place of {list(expected.shape)}")
    network.load_state_dict({name: tensor.float() for name, tensor in found.items()})


def check_numbers(name: str, weight: Tensor) -> None:
    """Raises ValueError where a weight is of another type or not finite. name: as the file has it."""
    if weight.dtype not in FLOATS:
        raise unfit(f"{name} has numbers of the type {weight.dtype}")
    if not are_finite({name: weight}):
        raise unfit(f"{name} is not finite")


def unfit(reason: str) -> ValueError:
    return ValueError(
        f"These are no weights of LPIPS or of a network it looks through: {reason}. Save the state of "
        "lpips.LPIPS(net='vgg'), or of torchvision's vgg16 or vgg19, as .safetensors."
    )
