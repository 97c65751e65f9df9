"""The noise schedule of Stable Diffusion in closed form."""

import torch
from appearance_transfer.inversion.schedule import TRAINING_STEPS
from torch import Tensor


def scaled_linear_alpha_bar(first: float = 0.00085, last: float = 0.012) -> Tensor:
    """alpha_bar[t], float64 [1000]: beta[t] = linspace(sqrt(first), sqrt(last))[t]^2."""
    beta = torch.linspace(first**0.5, last**0.5, TRAINING_STEPS, dtype=torch.float64) ** 2
    return torch.cumprod(1 - beta, dim=0)
