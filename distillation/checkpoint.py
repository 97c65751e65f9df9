"""What a distilled editor is: the weights to apply, and what is needed to train it further."""

from __future__ import annotations

from dataclasses import dataclass, field

import torch
from torch import Tensor

from ..storage.state_dict import are_finite, check_state_dict, strip_prefix
from .architecture import EditorConfig
from .discriminator import Discriminator
from .generator import Generator

GENERATOR, DISCRIMINATOR = "generator.", "discriminator."
SECOND_MOMENTS = "squares."
"""Before one of the two: the running mean of squared gradients, which is all that Adam remembers here."""


@dataclass(frozen=True, eq=False)
class DistilledEditor:
    """An editor at one moment of its training.

    weights: of a Generator of that architecture, by name; a moving average over the training.
    steps: how often they were updated. images: how many have been seen.
    memory: generator and discriminator as they are, and their squares, by prefixed name. Empty where the editor is only
        to be applied.
    metadata: what it was trained on and how, for people.

    Raises ValueError when the parts do not fit together.
    """

    architecture: EditorConfig
    weights: dict[str, Tensor]
    steps: int
    images: int = 0
    memory: dict[str, Tensor] = field(default_factory=dict)
    metadata: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        with torch.device("meta"):
            generator = Generator(self.architecture).state_dict()
            discriminator = Discriminator(self.architecture).state_dict()
        check_state_dict("weights", "distilled editor", self.weights, generator)
        if self.memory:
            parts = {GENERATOR: generator, DISCRIMINATOR: discriminator}
            parts |= {SECOND_MOMENTS + prefix: tensors for prefix, tensors in parts.items()}
            needed = {prefix + name: tensor for prefix, tensors in parts.items() for name, tensor in tensors.items()}
            check_state_dict("optimizer's numbers", "distilled editor", self.memory, needed)
        if self.steps < 0 or self.images < 0:
            raise ValueError(
                f"An editor cannot have been trained for {self.steps} steps on {self.images} images; train anew."
            )

    def network(self) -> Generator:
        """A new module with these weights, in their precision, on the CPU, ready to be applied."""
        network = empty_generator(self.architecture).to(next(iter(self.weights.values())).dtype)
        network.load_state_dict(self.weights)
        return network.eval()

    def remembered(self, part: str) -> dict[str, Tensor]:
        """The part of the memory under a prefix, without it."""
        return strip_prefix(self.memory, part)

    def is_finite(self) -> bool:
        """False when any number of it is NaN or infinite."""
        return are_finite(self.weights, self.memory)

    def __repr__(self) -> str:
        metadata = "".join(f", {name} {value}" for name, value in self.metadata.items())
        size, width = self.architecture.size, self.architecture.width
        return f"DistilledEditor({size} px, width {width:g}, {self.steps} steps{metadata})"


def empty_generator(architecture: EditorConfig) -> Generator:
    """A generator whose weights nobody has set, made without drawing any."""
    with torch.device("meta"):
        network = Generator(architecture)
    return network.to_empty(device="cpu")
