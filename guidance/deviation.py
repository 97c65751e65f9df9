"""Latent deviation (Fine-grained Appearance Transfer, Ye et al., arXiv 2311.16513): a DDIM step that leans towards
another image's colors, carried to where they belong.

At a noise level x = a*x0 + b*eps. With D the model's (guided) estimate of x0 at x, C the appearance's estimate carried
onto the structure by matches, and M the mask, the paper writes

    x0'  = M*((1 - delta)*D + delta*C) + (1 - M)*D        eq. 3
    x'   = a*x0' + b*eps, and eps' the noise found at x'    eq. 5
    x*   = lambda*x + (1 - lambda)*x'                       eq. 6
    eps* = gamma*eps + (1 - gamma)*eps'                     eq. 7
    x_next = (a_next/a)*(x* - b*eps*) + b_next*eps*         eq. 13, the DDIM step from x* along eps*

where D and C are found from the noise by eq. 2, D = (x - b*eps)/a. Let s = x0' - D = delta*M*(C - D) be the shift, and
D' the model's estimate of x0 at x'. Then

    x' = x + a*s,    x* = x + (1 - lambda)*a*s

and, since b*(eps' - eps) = (x' - a*D') - (x - a*D) = a*(s - (D' - D)), the x0 of eq. 13 is

    D* = (x* - b*eps*)/a = D + (gamma - lambda)*s + (1 - gamma)*(D' - D)

so that eq. 13 is the ordinary step from (x*, D*). b has dropped out and nothing is divided by a: the same lines serve
eps, v and flow models in any scaling, and where s is 0 they return x and D bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from torch import Tensor


@dataclass(frozen=True)
class DeviationParams:
    """How far a step leans, each in 0..1; defaults are the paper's (section 4).

    delta: how far the estimate of x0 moves towards the appearance; 0 not at all.
    keep_latent: lambda, the share of the undeviated latent in the step's start.
    keep_noise: gamma, the share of the undeviated noise in the step's direction.

    A window step moves x0 inside the mask by (1 - keep_latent)*delta of the way, 0.48, if the model agrees with the
    deviated image (D' = x0').
    """

    delta: float = 0.6
    keep_latent: float = 0.2
    keep_noise: float = 0.2

    @property
    def plain(self) -> bool:
        """True when every step is the ordinary one, so that nothing need be computed for it."""
        return self.delta == 0 or (self.keep_latent == 1 and self.keep_noise == 1)


def deviate(
    x: Tensor,
    denoised: Tensor,
    warped: Tensor,
    mask: Tensor | None,
    a: float,
    denoise: Callable[[Tensor], Tensor],
    mixing: DeviationParams,
) -> tuple[Tensor, Tensor]:
    """(x*, D*), to be stepped from in place of (x, denoised).

    x: [B, C, h, w] at a level with x = a*x0 + b*eps. denoised: D at x, of the same shape.
    warped: [B, C, h, w], the appearance's x0 at each position of the structure; D itself where nothing matches.
    mask: [B or 1, h, w] in 0..1, where to deviate; None is everywhere.
    denoise: the estimate of x0 at another latent of the same level, guided like D; called once, with x', and not at all
        where keep_noise is 1.
    """
    shift = mixing.delta * (warped - denoised)
    if mask is not None:
        shift = shift * mask[:, None]
    start = x + (1 - mixing.keep_latent) * a * shift
    target = denoised + (mixing.keep_noise - mixing.keep_latent) * shift
    if mixing.keep_noise != 1:
        target = target + (1 - mixing.keep_noise) * (denoise(x + a * shift) - denoised)
    return start, target
