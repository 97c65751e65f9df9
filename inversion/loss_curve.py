"""The losses of a null-text inversion as an image and in words."""

from __future__ import annotations

from torch import Tensor

from ..training.loss_plot import plot

BEFORE, AFTER = "#9aa5b1", "#0b6e99"


def before_and_after(losses: Tensor) -> tuple[Tensor, Tensor]:
    """The first and the last loss of every step, mean over the images, [N] each, from losses [N, B, updates].

    The last is that before the last update: what the update came to is not computed.
    """
    last = (~losses.isnan()).sum(dim=-1, keepdim=True) - 1
    return losses[..., 0].mean(dim=1), losses.gather(-1, last).squeeze(-1).mean(dim=1)


def losses_in_words(losses: Tensor) -> list[str]:
    """A line per step: losses and the number of updates (of the image that took most)."""
    updates = (~losses.isnan()).sum(dim=-1).amax(dim=1).tolist()
    pairs = zip(*(side.tolist() for side in before_and_after(losses)), updates, strict=True)
    return [f"step {i}: loss {first:.3g} -> {last:.3g} in {count}" for i, (first, last, count) in enumerate(pairs)]


def draw_losses(losses: Tensor) -> Tensor:
    """Both losses of every step, on a logarithmic scale: losses [N, B, updates] -> an image [1, H, W, 3] in 0..1."""
    first, last = (list(enumerate(side.tolist())) for side in before_and_after(losses))
    return plot({"loss of each step before its updates": first, "and after them": last}, (BEFORE, AFTER))
