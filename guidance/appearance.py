"""Appearance guidance (Cross-Image Attention, arXiv 2311.03335, eq. 4): away from the plain prediction,
towards the one with cross-image attention, less and less as the image forms."""

from __future__ import annotations

from torch import Tensor

GUIDANCE_EVERY = 2
"""The pass without the transfer runs on every second guided step; its last difference serves the other."""
CANCELED = 1e-3  # of a guidance, less is none; divided by less, rounding would show


def guidance_scale(i: int, steps: int, start: float = 3.5, end: float | None = None) -> float:
    """The scale at executed step i of `steps`: linear from `start` to `end`, by default max(start/2, 1)."""
    end = max(start / 2, 1.0) if end is None else end
    return start + (end - start) * i / (steps - 1) if steps > 1 else start


def guide(
    plain: Tensor,
    edited: Tensor,
    scale: float,
    unguided: Tensor | None = None,
    text_scale: float = 1.0,
) -> Tensor:
    """plain + scale*(edited - plain) + (text_scale - 1)*(plain - unguided).

    plain, edited: predictions (denoised, or eps) without and with the transfer, under the text; scale 1 is `edited`.
    unguided: the plain prediction under the empty text; text_scale 1 means no text guidance, and needs none.
    """
    guided = edited if scale == 1 else plain + scale * (edited - plain)
    if text_scale == 1:
        return guided
    if unguided is None:
        raise ValueError(f"Text guidance of {text_scale} needs a negative conditioning; connect one, or set it to 1.")
    return guided + (text_scale - 1) * (plain - unguided)


def as_one_guidance(
    plain: Tensor,
    edited: Tensor,
    scale: float,
    unguided: Tensor | None = None,
    text_scale: float = 1.0,
) -> tuple[Tensor, Tensor, float]:
    """`guide` as classifier-free guidance: (cond, uncond, cfg), and uncond + cfg * (cond - uncond) is what it gives.

    cond is `edited`, cfg - 1 the sum of scale - 1 and text_scale - 1, and uncond what both move away from: `plain` or
    `unguided` where only one of the two guides, else as far off as both together. Where they cancel out (scale 0.5 and
    text_scale 1.5) there is no such uncond: then cond and uncond are what `guide` gives, and cfg is 1.
    """
    cfg = scale + text_scale - 1
    if text_scale == 1:
        return edited, plain, cfg
    if abs(cfg - 1) < CANCELED:
        guided = guide(plain, edited, scale, unguided, text_scale)
        return guided, guided, 1.0
    return edited, edited + (edited - guide(plain, edited, scale, unguided, text_scale)) / (cfg - 1), cfg
