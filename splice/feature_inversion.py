"""From a feature of a ViT back to an image: what of the image does the feature hold?

Tumanyan et al. 2022, section 3.2: an untrained network (Deep Image Prior, Ulyanov et al., CVPR 2018) is optimized until
the ViT sees in its output what it saw in the image.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

import torch
import torch.nn.functional as F
from torch import Tensor

from ..vit.preprocess import normalize_imagenet
from ..vit.vit import VisionTransformer
from .generator import GeneratorConfig, SkipGenerator

Feature = Literal["keys", "CLS"]
FEATURES: tuple[Feature, ...] = ("keys", "CLS")
STEPS, LEARNING_RATE = 20_000, 0.01
"""Of the reference code."""
NETWORK = GeneratorConfig(
    inputs=32, widths=(16, 32, 64, 128, 128, 128), kernels=(7, 7, 5, 5, 3, 3), skip=4, padding="reflect"
)
"""Of the reference code; 2,606,763 parameters."""
NOISE = ((0.0, 10.0), (0.5, 2.0), (0.75, 0.5))
"""From which share of the steps on the input is disturbed by noise of which strength, where CLS is inverted."""


def inversion_network(seed: int) -> SkipGenerator:
    """The untrained network, with PyTorch's initial weights drawn by `seed`, on the CPU in fp32."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return SkipGenerator(NETWORK)


def network_inputs(height: int, width: int, steps: int, feature: Feature, seed: int) -> Iterator[Tensor]:
    """What the network is given at every step, [1, 32, H, W] on the CPU: one noise image, and for CLS, which says
    little about positions, other noise on top of it at each step, first strong, then weaker.
    """
    random = torch.Generator().manual_seed(seed)
    shape = (1, NETWORK.inputs, height, width)
    fixed = torch.randn(shape, generator=random)
    for step in range(steps):
        if feature == "keys":
            yield fixed
        else:
            strength = [strength for fraction, strength in NOISE if step >= fraction * steps][-1]
            yield fixed + strength * torch.randn(shape, generator=random)


class FeatureInversion:
    """The optimization: `step` brings `network` nearer to an image in which the ViT sees the target."""

    def __init__(
        self,
        network: SkipGenerator,
        vit: VisionTransformer,
        image: Tensor,
        feature: Feature,
        *,
        layer: int = -1,
        learning_rate: float = LEARNING_RATE,
    ) -> None:
        """image: [1, 3, H, W] in 0..1, at the size of the result; its feature at block `layer` is the target: the
        token "CLS", or the "keys" of all tokens.
        """
        self.network, self.vit, self.feature, self.layer = network, vit, feature, layer
        with torch.no_grad():
            self.target = self._seen(image)
        self.optimizer = torch.optim.Adam(self.network.parameters(), lr=learning_rate)

    def step(self, network_input: Tensor) -> Tensor:
        """One update for the input [1, 32, H, W]; the loss before it.

        Raises ValueError where the loss is no number.
        """
        self.optimizer.zero_grad()
        loss = F.mse_loss(self._seen(self.network(network_input)), self.target)
        if not torch.isfinite(loss):
            raise ValueError(
                "The loss of the feature inversion is no longer a number. Use a smaller learning rate, or load the ViT "
                "in fp32."
            )
        loss.backward()
        self.optimizer.step()
        return loss.detach()

    @torch.no_grad()
    def image(self, network_input: Tensor) -> Tensor:
        """What the network makes of the input by now: [1, 3, H, W] in 0..1."""
        return self.network(network_input)

    def _seen(self, image: Tensor) -> Tensor:
        vit_output = self.vit.forward_features(normalize_imagenet(image), self.layer)
        return (vit_output.cls if self.feature == "CLS" else vit_output.keys).to(image.dtype)
