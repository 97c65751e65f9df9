"""SSIM (Wang et al., IEEE TIP 2004): are light, contrast and pattern the same around every pixel?

Equation 13 with the paper's window, a Gaussian of deviation 1.5 over 11 x 11 pixels, and its constants. The paper is
about gray images; here every color channel is compared, and the mean taken.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

WINDOW, DEVIATION = 11, 1.5
C1, C2 = 0.01**2, 0.03**2
"""What keeps the quotients stable, for images in 0..1."""


def ssim_positions(output: Tensor, original: Tensor) -> Tensor:
    """Images [B, 3, H, W] in 0..1 -> SSIM [B, 3, H - 10, W - 10] around every pixel whose window lies inside.

    float64. Raises ValueError for images smaller than the window.
    """
    if min(output.shape[-2:]) < WINDOW:
        raise ValueError(f"SSIM looks at {WINDOW} x {WINDOW} pixels at a time, which these images have not.")
    a, b = output.double(), original.double()
    mean_a, mean_b = _blurred(a), _blurred(b)
    variance_a, variance_b = _blurred(a * a) - mean_a**2, _blurred(b * b) - mean_b**2
    covariance = _blurred(a * b) - mean_a * mean_b
    alike = (2 * mean_a * mean_b + C1) * (2 * covariance + C2)
    return alike / ((mean_a**2 + mean_b**2 + C1) * (variance_a + variance_b + C2))


def ssim(output: Tensor, original: Tensor) -> Tensor:
    """One number per image [B], at most 1, which is the same image; as `ssim_positions`."""
    return ssim_positions(output, original).mean((1, 2, 3))


def _blurred(values: Tensor) -> Tensor:
    """The weighted mean around every pixel of [B, C, H, W] that has all its neighbors."""
    offsets = torch.arange(WINDOW, device=values.device) - WINDOW // 2
    weights = torch.exp(-0.5 * (offsets / DEVIATION) ** 2).to(values)
    row = (weights / weights.sum()).expand(values.shape[1], 1, 1, -1)
    across = F.conv2d(values, row, groups=values.shape[1])
    return F.conv2d(across, row.mT, groups=values.shape[1])
