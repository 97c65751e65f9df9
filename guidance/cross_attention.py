"""Cross-attention guidance (pix2pix-zero, Parmar et al., arXiv 2302.03027, section 3.3): every position of the edit
keeps looking at the tokens that it looked at in the plain reconstruction, so that the structure stays.

The loss and the step are those of the reference code, whose step sizes mean nothing for the paper's unsquared norm:

    L_xa = sum over layers, mean over prompts and heads, sum over positions and tokens of (M - M_ref)^2
    X <- X - amount * dL_xa/dX,    X the network's input, x / sqrt(1 + sigma^2) in ComfyUI's scaling

There are two X, one for each prompt of classifier-free guidance; one of them, by default that of the negative prompt,
is the latent that the sampler goes on from.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import torch
from torch import Tensor

CONDITIONAL, NEGATIVE = 0, 1  # the two X along the first dimension of a shift

UPDATE_TARGETS = ("negative", "conditional", "mean", "original")
"""From which of the latents the sampler goes on: negative in the reference code, original in the paper's algorithm."""


def cross_attention_loss(maps: Mapping[Any, Tensor], reference: Mapping[Any, Tensor]) -> Tensor:
    """How far maps are from those of the reconstruction, [R]: of every row, over all layers.

    maps, reference: {layer: [R, heads, N, T]}, probabilities of N positions over T tokens. A row is one prompt of one
        image; L_xa of an image is the mean over its rows.

    Raises ValueError for other layers or other sizes.
    """
    if maps.keys() != reference.keys() or not maps:
        raise ValueError(
            f"There are cross-attention maps of {len(maps)} layers, and of {len(reference)} of the reconstruction; "
            "compare the same layers, one at least."
        )
    for layer, of_edit in maps.items():
        if of_edit.shape != reference[layer].shape:
            raise ValueError(
                f"The cross-attention maps have the shape {list(of_edit.shape)}, but those of the reconstruction "
                f"{list(reference[layer].shape)}; both need one size and prompts of the same number of tokens."
            )
    layers = [(maps[layer] - reference[layer]).square().sum(dim=(-1, -2)).mean(dim=-1) for layer in maps]
    return torch.stack(layers).sum(dim=0)


def guidance_shift(gradient: Tensor, amount: float | Tensor) -> Tensor:
    """By how much a gradient step moves X. gradient: [..., *latent]. amount: one for all, or [...]."""
    if isinstance(amount, Tensor):
        amount = amount.reshape(amount.shape + (1,) * (gradient.ndim - amount.ndim))
    return -amount * gradient


def bounded_amount(amount: float, loss: Tensor, gradient: Tensor) -> Tensor:
    """`amount`, but nowhere more than Polyak's step loss / |gradient|^2. loss: [...], gradient: [..., *latent].

    There the loss, which is never below 0, would be 0 if it fell on as steeply as it begins. So a longer step cannot
    be meant; and where curvature is constant Polyak's is half of the best one, so that repeated steps cannot run away.
    """
    steepness = gradient.flatten(loss.ndim).square().sum(dim=-1)
    return (loss / steepness.clamp(min=torch.finfo(loss.dtype).tiny)).clamp(max=amount)


def moved_latent(shifts: Tensor, update_target: str) -> Tensor:
    """By how much the latent moves that the sampler goes on from, [...]. shifts: [2, ...], of the two X.

    Raises ValueError for an update_target that there is not.
    """
    if update_target not in UPDATE_TARGETS:
        raise ValueError(f"update_target is {update_target!r}; choose one of {', '.join(UPDATE_TARGETS)}.")
    if update_target == "original":
        return torch.zeros_like(shifts[NEGATIVE])
    if update_target == "mean":
        return shifts.mean(dim=0)
    return shifts[NEGATIVE if update_target == "negative" else CONDITIONAL]
