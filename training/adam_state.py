"""What Adam remembers where it has no momentum (beta1 = 0): the running mean of every squared gradient, and a count."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def second_moments(optimizer: torch.optim.Adam, module: nn.Module) -> dict[str, Tensor]:
    """A copy of the memory of the optimizer of all of a module's parameters, by name; empty before its first update."""
    state = optimizer.state
    return {name: state[p]["exp_avg_sq"].clone() for name, p in module.named_parameters() if p in state}


def restore_second_moments(
    optimizer: torch.optim.Adam, module: nn.Module, moments: Mapping[str, Tensor], updates: int
) -> None:
    """Give an optimizer the memory of `updates` updates. With empty `moments` it forgets everything."""
    memories = {
        index: {
            "step": torch.tensor(float(updates)),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": moments[name].clone(),  # the optimizer changes it in place
        }
        for index, (name, parameter) in enumerate(module.named_parameters())
        if moments
    }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": memories})
