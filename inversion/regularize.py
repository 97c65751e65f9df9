"""Regularized inversion of pix2pix-zero (Parmar et al., arXiv 2302.03027, section 3.1): noise that is white and normal.

The noise that DDIM inversion finds keeps traces of the image. So every prediction eps is moved by a few steps of
gradient descent against two losses, before the inversion steps with it:

    pair   for each channel, on a pyramid of average-pooled maps n: the mean of n * roll(n, shift), squared, for the two
           directions, with a random shift: zero where no position knows its neighbors (eq. 3)
    KL     v + mu^2 - 1 - ln(v), mu and v of the whole map: zero for mean 0 and variance 1

Read as the reference code has it, which differs from the paper's eq. 3 (signed, over all shifts) and weighs both
losses.
The gradients are written out: nothing here needs autograd, and the network is never differentiated.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

COARSEST = 8  # the pyramid ends at the first map whose shorter side is at most this
SMALLEST = 4  # below it no shift lies within half of the map
TINY = 1e-7  # keeps the logarithm finite, as in the reference code

Regularizer = Callable[[Tensor], Tensor]
"""regularizer(eps [B, C, h, w]) -> eps, a little more like noise."""


@dataclass(frozen=True)
class Regularization:
    """How eps is moved at every level: `rounds` times, `rolls` steps against the pair loss and one against KL.

    pair, divergence: the weights lambda of the two losses; the pair loss shares its weight out to the rolls.
    gain: what a map is multiplied by after each pooling. 1 is the reference code; the paper's 2 gives white noise
        variance 1 on every level of the pyramid.
    seed: of the random shifts.

    The defaults are those of the reference code.
    """

    pair: float = 20.0
    divergence: float = 20.0
    rounds: int = 5
    rolls: int = 5
    gain: float = 1.0
    seed: int = 0

    @classmethod
    def reference_code(cls, **settings: Any) -> Regularization:
        """As pix2pix-zero's code: no gain between the levels of the pyramid."""
        return cls(gain=1.0, **settings)


def regularizer(settings: Regularization) -> Regularizer:
    """The regularizer of one inversion: it draws new shifts for every eps that it is given, from one generator."""
    generator = torch.Generator("cpu").manual_seed(settings.seed)

    def apply(eps: Tensor) -> Tensor:
        return regularize(eps, draw_shifts(eps, settings, generator), settings)

    return apply


def regularize(eps: Tensor, shifts: Tensor, settings: Regularization) -> Tensor:
    """eps [B, C, h, w] after all steps. shifts: [rounds, rolls, C, levels]. Every image is moved on its own."""
    for of_round in shifts:
        for of_roll in of_round:
            _, gradient = pair_loss(eps, of_roll, settings.gain)
            eps = eps - settings.pair / settings.rolls * gradient
        _, gradient = kl_loss(eps)
        eps = eps - settings.divergence * gradient
    return eps


def draw_shifts(eps: Tensor, settings: Regularization, generator: torch.Generator) -> Tensor:
    """Random shifts [rounds, rolls, C, levels], each uniform in 1..S/2 - 1 with S the shorter side of its level.

    All images of a batch share them, so that an image's inversion does not depend on its company.

    Raises ValueError for maps that are too small to be shifted.
    """
    sides = _pyramid(min(eps.shape[-2:]))
    shape = (settings.rounds, settings.rolls, eps.shape[1])
    return torch.stack([torch.randint(1, side // 2, shape, generator=generator) for side in sides], dim=-1)


def _pyramid(side: int) -> list[int]:
    """The shorter side of every level, the finest first: 64, 32, 16, 8 for 64."""
    if side < SMALLEST:
        raise ValueError(
            f"The latent is {side} wide or high, and the regularization needs {SMALLEST} at least; "
            "use a larger image, or turn the regularization off."
        )
    sides = [side]
    while sides[-1] > COARSEST:
        sides.append(sides[-1] // 2)
    return sides


def pair_loss(noise: Tensor, shifts: Tensor, gain: float = 1.0) -> tuple[Tensor, Tensor]:
    """The autocorrelation loss [B] of noise [B, C, h, w], and its gradient [B, C, h, w].

    shifts: [C, levels], of every channel at every level of the pyramid. For white noise of variance 1 the loss is
    2*C * sum over levels of 1/(pixels of the level), 0.0026 for 4 x 64 x 64 at gain 1 (each finer-to-coarser pooling
    quarters the variance).
    """
    loss, gradient = _correlation(noise, shifts[:, 0])
    if shifts.shape[1] > 1:
        coarse = gain * F.avg_pool2d(noise, 2)
        coarse_loss, coarse_gradient = pair_loss(coarse, shifts[:, 1:], gain)
        height, width = coarse.shape[-2:]
        spread = coarse_gradient.repeat_interleave(2, dim=-2).repeat_interleave(2, dim=-1)
        gradient[..., : 2 * height, : 2 * width] += gain / 4 * spread
        loss = loss + coarse_loss
    return loss, gradient


def _correlation(noise: Tensor, shifts: Tensor) -> tuple[Tensor, Tensor]:
    """The pair loss of one level and its gradient: of c^2, with c = mean(n * ahead), it is 2c * (ahead + behind)/N."""
    loss, gradient = noise.new_zeros(len(noise)), torch.zeros_like(noise)
    for dim in (-2, -1):
        ahead, behind = _rolled(noise, shifts, dim), _rolled(noise, -shifts, dim)
        correlation = (noise * ahead).mean(dim=(-2, -1), keepdim=True)
        loss = loss + correlation.square().sum(dim=(1, 2, 3))
        gradient += 2 * correlation / noise[0, 0].numel() * (ahead + behind)
    return loss, gradient


def _rolled(noise: Tensor, shifts: Tensor, dim: int) -> Tensor:
    """noise [B, C, h, w], every channel rolled along `dim` (-2 or -1) by its own shift [C]."""
    shifts = shifts.to(noise.device, torch.long)
    size = noise.shape[dim]
    index = (torch.arange(size, device=noise.device) - shifts[:, None]) % size
    index = index[None, :, :, None] if dim == -2 else index[None, :, None, :]
    return torch.take_along_dim(noise, index, dim)


def kl_loss(noise: Tensor) -> tuple[Tensor, Tensor]:
    """v + mu^2 - 1 - ln(v + 1e-7) [B] and its gradient, over all channels of an image; v is the unbiased variance.

    It is twice the KL divergence of N(mu, v) from the standard normal distribution.
    """
    variance, mean = torch.var_mean(noise, dim=(1, 2, 3), keepdim=True)
    loss = variance + mean.square() - 1 - torch.log(variance + TINY)
    count = noise[0].numel()
    gradient = 2 * (noise - mean) / (count - 1) * (1 - 1 / (variance + TINY)) + 2 * mean / count
    return loss.flatten(), gradient
