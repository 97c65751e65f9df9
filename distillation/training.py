"""Training a CoModGAN on pairs, one step at a time, by the schedule of the reference (co-mod-gan, training_loop).

Where it differs: the discriminator judges the images that the generator has just been judged by, where the reference
makes others; the gradient penalty is taken before its update instead of after; and the moving average is quicker while
few images have been seen, as in StyleGAN2-ADA, so that a short training is not an average with its first weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from ..training.adam_state import restore_second_moments, second_moments
from ..training.report import Diverged, Report
from .architecture import EditorConfig
from .augmentation import augmented
from .checkpoint import DISCRIMINATOR, GENERATOR, SECOND_MOMENTS, DistilledEditor, empty_generator
from .discriminator import Discriminator
from .generator import Generator
from .losses import PENALIZED_EVERY, Distance, EditorLossWeights, discriminator_loss, generator_terms, gradient_penalty
from .pairs import Dataset
from .rng import seeded_rng

BETA = 0.99
LAZY_GENERATOR, LAZY_DISCRIMINATOR = 4 / 5, PENALIZED_EVERY / (PENALIZED_EVERY + 1)
"""Adam's rate and the logarithm of its beta are scaled so, to make up for updates that only regularize. The reference
does it to the generator, too, which has none."""
HALF_LIFE, RAMP = 10_000, 0.05
"""Images after which a weight counts half in the average; at most this share of all that have been seen."""
DISPLAYED = 4


@dataclass(frozen=True)
class EditorTrainingSettings:
    """What a user may set; the rate is the paper's, whose network has width 1 and whose batch is 64."""

    architecture: EditorConfig = EditorConfig(width=0.5)
    weights: EditorLossWeights = EditorLossWeights()
    batch: int = 16
    learning_rate: float = 1e-3
    seed: int = 0
    """Of the first weights, of noise, augmentation and the choice of pairs."""


class EditorTraining:
    """An editor learning from pairs. Between two steps it can be looked at, kept or given up.

    pairs: of the size of the architecture. distance: LPIPS, where it is at hand. start: an editor to train further;
    without its memory the averaged weights go on, against a new discriminator.

    Every step draws its random numbers from (seed, step), so that a resumed training is the uninterrupted one.
    Raises ValueError where there is no pair, or `start` is of another architecture.
    """

    def __init__(
        self,
        pairs: Dataset,
        settings: EditorTrainingSettings | None = None,
        start: DistilledEditor | None = None,
        distance: Distance | None = None,
        device: torch.device | str = "cpu",
    ) -> None:
        if not len(pairs):
            raise ValueError("There is no pair to learn from; collect some with Edit-Pair Collector.")
        self.pairs, self.settings, self.distance = pairs, settings or EditorTrainingSettings(), distance
        self.device = torch.device(device)
        architecture = self.settings.architecture
        with seeded_rng(self.settings.seed, device=torch.device("cpu")):
            self.generator = Generator(architecture)
            self.discriminator = Discriminator(architecture)
        self.generator.to(self.device)
        self.discriminator.to(self.device)
        self.average = empty_generator(architecture).to(self.device).eval().requires_grad_(False)
        self.average.load_state_dict(self.generator.state_dict())
        self.generator_adam = self._adam(self.generator, LAZY_GENERATOR)
        self.discriminator_adam = self._adam(self.discriminator, LAZY_DISCRIMINATOR)
        self.steps = self.images = 0
        if start is not None:
            self._restore(start)

    def advance(self) -> Report:
        """One step of both networks. Raises Diverged, before anything is changed, where it cannot be taken."""
        with seeded_rng(self.settings.seed, self.steps, device=self.device):
            before, after = self._batch()
            generated = self.generator(before, self._noise(len(before)))
            terms = generator_terms(self.discriminator(generated, before), generated, after, self.distance)
            loss = self.settings.weights.total(terms)
            updates = [(self.generator_adam, _gradients(loss, self.generator))]
            judged = self.discriminator(generated.detach(), before), self.discriminator(after, before)
            terms["discriminator"] = discriminator_loss(*judged)
            updates.append((self.discriminator_adam, _gradients(terms["discriminator"], self.discriminator)))
            if self.steps % PENALIZED_EVERY == 0:
                terms["penalty"] = gradient_penalty(self.discriminator, after, before)
                penalty = PENALIZED_EVERY * terms["penalty"]
                updates.append((self.discriminator_adam, _gradients(penalty, self.discriminator)))
        self._check([loss, *terms.values()], [gradient for _, gradients in updates for gradient in gradients])
        for adam, gradients in updates:
            for parameter, gradient in zip(adam.param_groups[0]["params"], gradients, strict=True):
                parameter.grad = gradient
            adam.step()
            adam.zero_grad()
        self.steps += 1
        self.images += len(before)
        self._follow(len(before))
        return Report(self.steps - 1, loss.item(), {name: term.item() for name, term in terms.items()})

    @torch.no_grad()
    def edited(self, images: Tensor) -> Tensor:
        """What the averaged editor makes of images [B, 3, S, S] in 0..1 by now, in 0..1, on the CPU."""
        with seeded_rng(self.settings.seed, device=self.device):
            generated = self.average(images.to(self.device) * 2 - 1, self._noise(1))
        return ((generated + 1) / 2).clamp(0, 1).cpu()

    def output(self) -> Tensor:
        """Rows of before, output and after of the first pairs, [1, 3, H, W] in 0..1."""
        before, after = (_to_unit(images[:DISPLAYED]) for images in (self.pairs.before, self.pairs.after))
        rows = torch.stack([before, self.edited(before), after], dim=1)
        return rows.permute(2, 0, 3, 1, 4).flatten(3, 4).flatten(1, 2)[None]

    def snapshot(self) -> DistilledEditor:
        """A copy of the editor as it is now, with all that is needed to go on from it."""
        networks = {GENERATOR: self.generator, DISCRIMINATOR: self.discriminator}
        optimizers = {GENERATOR: self.generator_adam, DISCRIMINATOR: self.discriminator_adam}
        memory: dict[str, Tensor] = {}
        for prefix, network in networks.items():
            moments = second_moments(optimizers[prefix], network)
            if not moments:
                continue
            memory |= {prefix + name: tensor for name, tensor in _copied(network).items()}
            memory |= {SECOND_MOMENTS + prefix + name: tensor for name, tensor in moments.items()}
        return DistilledEditor(self.settings.architecture, _copied(self.average), self.steps, self.images, memory)

    def _batch(self) -> tuple[Tensor, Tensor]:
        """Pairs of this step, augmented, in -1..1."""
        chosen = torch.randint(len(self.pairs), (self.settings.batch,))
        pair = (_to_unit(images[chosen].to(self.device)) for images in (self.pairs.before, self.pairs.after))
        before, after = augmented(*pair)
        return before * 2 - 1, after * 2 - 1

    def _noise(self, count: int) -> Tensor:
        return torch.randn(count, self.settings.architecture.style, device=self.device)

    def _adam(self, network: nn.Module, lazy: float) -> torch.optim.Adam:
        return torch.optim.Adam(network.parameters(), self.settings.learning_rate * lazy, (0.0, BETA**lazy), 1e-8)

    def _check(self, losses: Sequence[Tensor], gradients: Sequence[Tensor]) -> None:
        # Sums, because they make one number per tensor; of squares, because Adam squares them.
        numbers = [loss.detach() for loss in losses] + [gradient.square().sum() for gradient in gradients]
        if not bool(torch.isfinite(torch.stack(numbers)).all()):
            raise Diverged(
                f"At step {self.steps} a loss or its gradient was no longer a number; the training has stopped and the "
                "editor as it was before that step was kept. Train with a smaller learning rate or a larger batch."
            )

    @torch.no_grad()
    def _follow(self, batch: int) -> None:
        """Move the average."""
        keep = 0.5 ** (batch / min(HALF_LIFE, RAMP * self.images))
        for average, parameter in zip(self.average.parameters(), self.generator.parameters(), strict=True):
            average.lerp_(parameter, 1 - keep)

    def _restore(self, start: DistilledEditor) -> None:
        if start.architecture != self.settings.architecture:
            raise ValueError(
                f"The connected editor is one of {start.architecture.size} px and width {start.architecture.width:g}, "
                f"but {self.settings.architecture.size} px and width {self.settings.architecture.width:g} are asked "
                "for; set both as they were, or connect no editor to begin anew."
            )
        self.average.load_state_dict(start.weights)
        self.steps, self.images = start.steps, start.images
        self.generator.load_state_dict(start.remembered(GENERATOR) or start.weights)
        if not start.memory:
            return
        self.discriminator.load_state_dict(start.remembered(DISCRIMINATOR))
        penalties = -(-start.steps // PENALIZED_EVERY)
        for adam, network, prefix, updates in (
            (self.generator_adam, self.generator, GENERATOR, start.steps),
            (self.discriminator_adam, self.discriminator, DISCRIMINATOR, start.steps + penalties),
        ):
            restore_second_moments(adam, network, start.remembered(SECOND_MOMENTS + prefix), updates)


def _gradients(loss: Tensor, network: nn.Module) -> tuple[Tensor, ...]:
    """Gradients of a loss for one network only, whatever others it came through."""
    return torch.autograd.grad(loss, list(network.parameters()), materialize_grads=True)


def _to_unit(images: Tensor) -> Tensor:
    return images.float() / 255


def _copied(network: nn.Module) -> dict[str, Tensor]:
    return {name: tensor.detach().clone() for name, tensor in network.state_dict().items()}
