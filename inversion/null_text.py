"""Null-text inversion: an unconditional embedding per step, so that guided sampling goes back to the image.

Mokady et al., arXiv 2211.09794, section 4.2 and algorithm 1, with the hyper-parameters of the reference code. Sampling
with guidance leaves the path that DDIM inversion recorded; step by step, the embedding of the empty text is changed
until the guided step ends where the recorded path goes on.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from .schedule import Schedule
from .step import Denoise, step

DenoiseUnder = Callable[[Tensor, Tensor, Tensor], Tensor]
"""denoise(x [B, C, h, w], sigma [B], embedding [B, T, C]) -> the estimate of x0, differentiable in the embedding."""

STEPS = 50
"""Of the papers' schedule."""
MOST_STEPS = 100
"""The released learning rate falls by a hundredth of itself per step, whatever their number, and would end here."""


@dataclass(frozen=True)
class NullTextSettings:
    """guidance: of the sampling to be led back. updates: at most, per step. learning_rate: Adam's, at step 0.

    early_stop: step i is done when its loss falls below early_stop + 2e-5*i, in the papers' scaling.
    """

    guidance: float = 7.5
    updates: int = 10
    learning_rate: float = 1e-2
    early_stop: float = 1e-5

    def rate(self, i: int) -> float:
        """The learning rate of step i: 0.0100 at the first step, 0.0051 at the 50th."""
        return self.learning_rate * (1 - i / MOST_STEPS)

    def threshold(self, i: int) -> float:
        """The loss below which step i is done."""
        return self.early_stop + 2e-5 * i


@dataclass(frozen=True)
class NullTextStep:
    """What one step came to. embedding: [B, T, C]. losses: [B, updates], NaN after the stop, on the CPU.

    denoised: the guided estimate of the image, [B, C, h, w].
    """

    embedding: Tensor
    losses: Tensor
    denoised: Tensor


def check_null_text(schedule: Schedule, settings: NullTextSettings) -> None:
    """Raises ValueError for settings that cannot be optimized."""
    if schedule.steps > MOST_STEPS:
        raise ValueError(
            f"The learning rate of null-text inversion falls to 0 at step {MOST_STEPS}, but there are "
            f"{schedule.steps} steps; use {MOST_STEPS} or fewer (the paper uses 50)."
        )
    if settings.updates < 1 or not (math.isfinite(settings.guidance) and settings.guidance != 1):
        raise ValueError(
            "Null-text inversion needs at least one update per step and a guidance other than 1 (where the "
            f"unconditional embedding has no effect), but updates is {settings.updates} and guidance "
            f"{settings.guidance:g}."
        )


def null_text_steps(
    conditional: Denoise,
    unconditional: DenoiseUnder,
    trajectory: Tensor,
    schedule: Schedule,
    start: Tensor,
    settings: NullTextSettings,
    *,
    found: Tensor | None = None,
) -> Iterator[NullTextStep]:
    """Optimize the embedding of step 0, 1, ..., S-1 and hand out each as soon as it is found.

    conditional: called once per step. unconditional: called up to updates + 1 times per step.
    trajectory: [S+1, B, C, h, w] of a conditional DDIM inversion, noisiest level first.
    start: the embedding of the empty text, [B or 1, T, C]; every later step starts from the one before.
    found: [N, B or 1, T, C], the embeddings of the first N steps where they are known: walked, not handed out.

    Every image of a batch is optimized and stopped on its own. Autograd must be possible (no inference mode).
    Raises ValueError when a loss is not a number.
    """
    check_null_text(schedule, settings)
    x = trajectory[0]
    embedding = start.expand(x.shape[0], -1, -1)
    for i in range(schedule.steps):
        sigma = x.new_full((x.shape[0],), schedule.sigmas[i])
        with torch.no_grad():
            guided = _GuidedStep(unconditional, conditional(x, sigma), x, sigma, schedule, i, settings.guidance)
        losses = None
        if found is not None and i < len(found):
            embedding = found[i].expand(x.shape[0], -1, -1)
        else:
            embedding, losses = _optimize(guided, trajectory[i + 1], embedding, settings)
        with torch.no_grad():
            denoised = guided.denoised(embedding)
            x = guided.arrive(denoised)
        if losses is not None:
            yield NullTextStep(embedding, losses, denoised)


@dataclass(frozen=True)
class _GuidedStep:
    """Step i as a function of the unconditional embedding [B, T, C]; towards: the conditional estimate."""

    unconditional: DenoiseUnder
    towards: Tensor
    x: Tensor
    sigma: Tensor
    schedule: Schedule
    i: int
    guidance: float

    def denoised(self, embedding: Tensor) -> Tensor:
        """The estimate of the image with guidance."""
        away = self.unconditional(self.x, self.sigma, embedding)
        return away + self.guidance * (self.towards - away)

    def arrive(self, denoised: Tensor) -> Tensor:
        """x at level i+1."""
        return step(self.x, denoised, None, self.schedule, self.i, eta=0.0)


def _optimize(
    guided: _GuidedStep, target: Tensor, embedding: Tensor, settings: NullTextSettings
) -> tuple[Tensor, Tensor]:
    """(embedding [B, T, C], losses [B, updates]) of one step: a new Adam from `embedding` on, until all are done."""
    i = guided.i
    scale = math.hypot(*guided.schedule.pair(i + 1))  # 1 in the papers' scaling, which losses and thresholds have
    trained = embedding.detach().clone().requires_grad_(True)
    optimizer = torch.optim.Adam([trained], lr=settings.rate(i))
    found = trained.detach().clone()
    losses = torch.full((len(target), settings.updates), torch.nan)
    running = torch.ones(len(target), dtype=torch.bool)
    for update in range(settings.updates):
        with torch.enable_grad():
            error = (guided.arrive(guided.denoised(trained)) - target) / scale
            loss = error.square().flatten(1).mean(dim=1)
            (trained.grad,) = torch.autograd.grad(loss.sum(), trained)
        optimizer.step()
        values = loss.detach().float().cpu()
        if not bool(torch.isfinite(values).all()):
            raise ValueError(f"The loss of null-text step {i} is not a number; use less guidance, or fewer updates.")
        losses[running, update] = values[running]
        found[running] = trained.detach()[running]
        running &= values >= settings.threshold(i)
        if not bool(running.any()):
            break
    return found, losses
