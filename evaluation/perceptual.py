"""LPIPS (Zhang et al., CVPR 2018): how far apart two images look to a network that was trained for something else.

Equation 1: at every position of five layers, the squared difference of two features of length 1, weighed by a head that
learned from people's judgements.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor, nn

from .backbone import CONVOLUTION, Backbone, check_numbers, fill, load_backbone

HEAD = re.compile(r"lin(\d)\.model\.1\.weight", re.ASCII)


class PerceptualDistance(nn.Module):
    """Images [B, 3, H, W] in -1..1, twice -> distances [B]. Differentiable; its own weights do not learn."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.backbone = backbone
        self.heads = nn.ModuleList(
            nn.Conv2d(block[-1].width, 1, 1, bias=False) for block in backbone.architecture.blocks
        )
        self.requires_grad_(False)

    def forward(self, first: Tensor, second: Tensor) -> Tensor:
        return torch.stack([layer.mean((1, 2, 3)) for layer in self.layers(first, second)]).sum(0)

    def with_positions(self, first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
        """The distances [B], and where they come from [B, H, W]: the layers enlarged bilinearly and added up, as the
        authors' `spatial` does.
        """
        layers = list(self.layers(first, second))
        enlarged = [F.interpolate(layer, size=first.shape[-2:], mode="bilinear")[:, 0] for layer in layers]
        return torch.stack([layer.mean((1, 2, 3)) for layer in layers]).sum(0), torch.stack(enlarged).sum(0)

    def layers(self, first: Tensor, second: Tensor) -> Iterator[Tensor]:
        """The distance at every position of every layer, [B, 1, h, w] each."""
        seen = zip(self.heads, self.backbone(first), self.backbone(second), strict=True)
        for head, (*_, a), (*_, b) in seen:
            yield head((_of_length_one(a) - _of_length_one(b)).square())


def load_lpips(state: Mapping[str, Tensor]) -> PerceptualDistance:
    """From the state of `lpips.LPIPS`, with VGG-16 or AlexNet, or of torchvision's network with the heads of LPIPS.

    Raises ValueError where a weight is missing, of another shape or not finite.
    """
    network = PerceptualDistance(load_backbone(state))
    heads = {}
    for name, tensor in state.items():
        if match := HEAD.fullmatch(name):
            check_numbers(name, tensor)
            heads[f"{match[1]}.weight"] = tensor
    fill(network.heads, heads)
    return network


def is_weight(name: str) -> bool:
    """Whether a tensor of a file is used, by LPIPS or by the network that it looks through."""
    return bool(HEAD.fullmatch(name) or CONVOLUTION.fullmatch(name))


def has_heads(state: Mapping[str, Tensor]) -> bool:
    """Whether there is more than the network that LPIPS looks through."""
    return any(HEAD.fullmatch(name) for name in state)


def _of_length_one(features: Tensor) -> Tensor:
    return features / (features.square().sum(1, keepdim=True).sqrt() + 1e-10)
