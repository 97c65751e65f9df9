"""What a trained generator is: its weights, and what is needed to train it further."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..storage.state_dict import are_finite, check_state_dict
from .generator import SkipGenerator


@dataclass(frozen=True, eq=False)
class TrainedGenerator:
    """A generator at one moment of its training.

    weights: of a SkipGenerator, by name. steps: how often they were updated.
    second_moments: Adam's running mean of squared gradients, by name. Adam without momentum (beta1 = 0, as in
        Splice) remembers nothing else. Empty where the generator is only to be applied.
    metadata: what it was trained on and how, for people.

    Raises ValueError when the parts do not fit together.
    """

    weights: dict[str, Tensor]
    steps: int
    second_moments: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with torch.device("meta"):
            needed = SkipGenerator().state_dict()
        check_state_dict("weights", "Splice generator", self.weights, needed)
        if self.second_moments:
            check_state_dict("squared gradients", "Splice generator", self.second_moments, needed)
        if self.steps < 0:
            raise ValueError(f"A generator cannot have been trained for {self.steps} steps; train it again.")

    def network(self) -> SkipGenerator:
        """A new module with these weights, in their precision, on the CPU."""
        network = SkipGenerator().to(next(iter(self.weights.values())).dtype)
        network.load_state_dict(self.weights)
        return network

    def is_finite(self) -> bool:
        """False when any number of it is NaN or infinite."""
        return are_finite(self.weights, self.second_moments)

    def __repr__(self) -> str:
        metadata = "".join(f", {name} {value}" for name, value in self.metadata.items())
        return f"TrainedGenerator({self.steps} steps{metadata})"
