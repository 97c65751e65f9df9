"""Adaptive instance normalization (Huang & Belongie, arXiv 1703.06868, eq. 8) of latents, inside masks.

Each channel gets the mean and spread of the style, as Cross-Image Attention does after its steps to keep the colors
(arXiv 2311.03335).
"""

from __future__ import annotations

import torch
from torch import Tensor

EPSILON = 1e-5
FULL = 1 - 1e-6
"""Pixels of a mask above this are inside; the fractional border is blended, but not measured."""


def adain(
    x: Tensor,
    style: Tensor,
    content_mask: Tensor | None = None,
    style_mask: Tensor | None = None,
) -> Tensor:
    """x with the channel statistics of `style`: std_s*(x - mean_x)/std_x + mean_s, blended by the content mask.

    x: [B, C, h, w]. style: [B or 1, C, h', w'] at the same noise level.
    content_mask: [B or 1, h, w] in 0..1; style_mask: [B or 1, h', w']. Statistics are taken where a mask is 1, with
        the unbiased variance + 1e-5; where the content mask is 0, x stays as it is.

    A mask with fewer than two full pixels has no statistics (see `mask_findings`), and the whole map is measured, as
    without masks (a content mask that is 0 everywhere does not blend either). Where only one of two masks has
    statistics, x stays as it is: an object with the colors of a whole image is worse than an object with its own. A map
    of a single pixel has no spread; x then keeps its own and takes the mean alone.
    """
    mean_x, std_x = _statistics(x, content_mask)
    mean_s, std_s = _statistics(style, style_mask)
    if min(x.shape[-2:].numel(), style.shape[-2:].numel()) < 2:
        std_x = std_s = torch.ones_like(std_x)
    moved = ((x - mean_x) / std_x * std_s + mean_s).to(x.dtype)
    if content_mask is None:
        return moved
    blend = content_mask[:, None].to(x)
    blend = torch.where(blend.amax(dim=(-1, -2), keepdim=True) > 0, blend, 1.0)
    if style_mask is not None:
        alone = has_statistics(content_mask) != has_statistics(style_mask)
        blend = torch.where(alone[:, None, None, None], 0.0, blend)
    return torch.lerp(x, moved, blend)


def has_statistics(mask: Tensor) -> Tensor:
    """True for each row of a mask [B, h, w] with at least two full pixels, which a variance needs. [B], bool."""
    return (mask > FULL).sum(dim=(-1, -2)) >= 2


def _statistics(x: Tensor, mask: Tensor | None) -> tuple[Tensor, Tensor]:
    """Mean and standard deviation of each channel of x [B, C, h, w] where the mask is full, each [B, C, 1, 1]."""
    x = x.to(torch.promote_types(x.dtype, torch.float32))  # sums over a large map overflow in half precision
    if mask is None:
        inside = torch.ones_like(x[:1, :1])
    else:
        inside = ((mask > FULL) | ~has_statistics(mask)[:, None, None])[:, None].to(x)
    count = inside.sum(dim=(-1, -2), keepdim=True)
    mean = (x * inside).sum(dim=(-1, -2), keepdim=True) / count
    variance = ((x - mean).square() * inside).sum(dim=(-1, -2), keepdim=True) / (count - 1).clamp(min=1)
    return mean, (variance + EPSILON).sqrt()


def mask_findings(content_mask: Tensor | None, style_mask: Tensor | None) -> list[str]:
    """What becomes of images whose masks have no statistics, a sentence each; none where all masks have some."""
    masks = {"mask": content_mask, "appearance_mask": style_mask}
    usable = {name: has_statistics(mask) for name, mask in masks.items() if mask is not None}
    findings = []
    for name, found in usable.items():
        others = [other for key, other in usable.items() if key != name]
        alone = ~found & others[0] if others else torch.zeros_like(found)
        if alone.any():
            findings.append(
                f"AdaIN: {name} has no full pixels, the other mask has some, so the colors stay as they are. "
                "Look at the masks."
            )
        if (~found & ~alone).any():
            findings.append(f"AdaIN: {name} has no full pixels, so the whole image is measured instead.")
    return findings
