"""Training a generator on one pair of images (Tumanyan et al. 2022, section 3.3), one optimization step at a time."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from ..training.adam_state import restore_second_moments, second_moments
from ..training.report import Diverged, Report
from ..vit.features import ViTExtractor
from .augmentation import Crops
from .checkpoint import TrainedGenerator
from .generator import SkipGenerator, check_side, initialize
from .losses import SpliceLossWeights, SplicePair, terms_at

BETAS = (0.0, 0.99)


@dataclass(frozen=True)
class SpliceSettings:
    """What a user may set; the defaults are the reference code's."""

    weights: SpliceLossWeights = SpliceLossWeights()
    learning_rate: float = 2e-3
    seed: int = 0
    """Of the initial weights and of the crops."""


class SpliceTraining:
    """A generator learning from one pair. Between two steps it can be looked at, kept or given up.

    structure, appearance: [1, 3, H, W] in 0..1, on the ViT's device; the generator gets their precision.
    start: a generator to train further; without its squared gradients the first steps are those of a new optimizer.
    crops: step -> what the step learns from; drawn as the reference code does if not given.

    Raises ValueError for images under 64 px.
    """

    def __init__(
        self,
        extractor: ViTExtractor,
        structure: Tensor,
        appearance: Tensor,
        settings: SpliceSettings | None = None,
        start: TrainedGenerator | None = None,
        crops: Callable[[int], tuple[Tensor, Tensor]] | None = None,
    ) -> None:
        check_side(structure, "structure image")
        check_side(appearance, "appearance image")
        self.extractor, self.structure, self.settings = extractor, structure, settings or SpliceSettings()
        self.crops = crops or Crops(structure, appearance, self.settings.seed)
        network = SkipGenerator()
        if start is None:
            initialize(network, self.settings.seed)  # before it moves: a seed means the same start on every device
        self.generator = network.to(structure)
        self.optimizer = torch.optim.Adam(self.generator.parameters(), self.settings.learning_rate, BETAS)
        self.steps = 0
        if start is not None:
            self._restore(start)
        self.last_finite = self.snapshot()
        with torch.no_grad():
            (self.whole,) = extractor.extract(structure)

    def advance(self) -> Report:
        """One step. Raises Diverged where it cannot be taken; what is kept then is the last sound generator."""
        terms = self.terms()
        loss = self.settings.weights.total(terms)
        self.optimizer.zero_grad()
        loss.backward()
        if not self._is_finite(loss):
            failed = self.steps
            self._restore(self.last_finite)
            raise Diverged(
                f"At step {failed} the loss or its gradient was no longer a number; the training has stopped and the "
                f"generator of step {self.steps} was kept. Train in fp32 or with a smaller learning rate; if it is "
                "the very first step, check the images and the ViT."
            )
        self.last_finite = self.snapshot()
        self.optimizer.step()
        self.steps += 1
        return Report(self.last_finite.steps, loss.item(), {name: term.item() for name, term in terms.items()})

    def terms(self) -> dict[str, Tensor]:
        """The losses of the coming step."""
        pair = SplicePair(*self.crops(self.steps), self.structure)
        return terms_at(self.steps, self.generator, self.extractor, pair, self.whole)

    @torch.no_grad()
    def output(self) -> Tensor:
        """What the generator makes of the whole structure image by now: [1, 3, H, W] in 0..1."""
        return self.generator(self.structure)

    def snapshot(self) -> TrainedGenerator:
        """A copy of the generator as it is now, with all that is needed to go on from it."""
        return TrainedGenerator(
            weights={name: parameter.detach().clone() for name, parameter in self.generator.named_parameters()},
            steps=self.steps,
            second_moments=second_moments(self.optimizer, self.generator),
        )

    def _restore(self, start: TrainedGenerator) -> None:
        self.generator.load_state_dict(start.weights)
        self.steps = start.steps
        restore_second_moments(self.optimizer, self.generator, start.second_moments, start.steps)

    def _is_finite(self, loss: Tensor) -> bool:
        # Sums, because they make one number per tensor, and NaN or infinity anywhere makes the sum so.
        gradients = [p.grad.sum() for p in self.generator.parameters() if p.grad is not None]
        return bool(torch.isfinite(torch.stack([loss.detach(), *gradients])).all())
