"""What generator and discriminator are asked for: the reference's adversarial losses, and likeness to the edits.

The paper (pix2pix-zero, section 4.5) names L1 and LPIPS and gives no weights; these are of its author's later trainer
of paired editors. The reference has no path-length term, and neither has this.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from .discriminator import Discriminator

GAMMA = 10.0
PENALIZED_EVERY = 16
"""Steps from one gradient penalty to the next, which counts so many times."""

Distance = Callable[[Tensor, Tensor], Tensor]
"""Images [B, 3, H, W] in -1..1, twice -> how far apart they look, [B]."""


@dataclass(frozen=True)
class EditorLossWeights:
    """How much each loss of the generator counts."""

    adversarial: float = 0.5
    perceptual: float = 5.0
    pixel: float = 1.0

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms."""
        return torch.stack([getattr(self, name) * term for name, term in terms.items()]).sum()


def generator_terms(scores: Tensor, generated: Tensor, target: Tensor, distance: Distance | None) -> dict[str, Tensor]:
    """scores: of the discriminator, [B]. generated, target: [B, 3, S, S] around -1..1. "perceptual" only with a
    distance.
    """
    terms = {"adversarial": F.softplus(-scores).mean(), "pixel": F.l1_loss(generated, target)}
    if distance is not None:
        terms["perceptual"] = distance(generated, target).mean()
    return terms


def discriminator_loss(generated: Tensor, real: Tensor) -> Tensor:
    """The non-saturating loss; both are scores [B]."""
    return (F.softplus(generated) + F.softplus(-real)).mean()


def gradient_penalty(discriminator: Discriminator, edits: Tensor, originals: Tensor) -> Tensor:
    """R1: gamma / 2 times the mean squared norm of the slope at real pairs, over all six channels."""
    edits, originals = edits.detach().requires_grad_(), originals.detach().requires_grad_()
    gradients = torch.autograd.grad(discriminator(edits, originals).sum(), (edits, originals), create_graph=True)
    return GAMMA / 2 * torch.stack([gradient.square().sum((1, 2, 3)) for gradient in gradients]).sum(0).mean()
