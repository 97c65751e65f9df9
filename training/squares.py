"""What Adam remembers where it has no momentum (beta1 = 0): the running mean of every squared gradient, and a count."""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor, nn


def squares_of(optimizer: torch.optim.Adam, module: nn.Module) -> dict[str, Tensor]:
    """A copy of the memory of the optimiser of all of a module's parameters, by name; empty before its first update."""
    state = optimizer.state
    return {name: state[p]["exp_avg_sq"].clone() for name, p in module.named_parameters() if p in state}


def restore_squares(
    optimizer: torch.optim.Adam, module: nn.Module, squares: Mapping[str, Tensor], updates: int
) -> None:
    """Give an optimiser the memory of `updates` updates. With empty `squares` it forgets everything."""
    memories = {
        index: {
            "step": torch.tensor(float(updates)),
            "exp_avg": torch.zeros_like(parameter),
            "exp_avg_sq": squares[name].clone(),  # the optimiser changes it in place
        }
        for index, (name, parameter) in enumerate(module.named_parameters())
        if squares
    }
    optimizer.load_state_dict({**optimizer.state_dict(), "state": memories})
