"""Images to edit, made ready once for all methods: encoded, inverted, with their texts before and after.

A batch carries a text per image: the embeddings are stacked in one CONDITIONING, which ComfyUI keeps row by row.
Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from ...editing.direction import EditDirection, direction_between
from ...host.editing.text_encoding import apply_direction, mean_encodings
from ...host.inversion.ddpm_and_ddim import invert_with_ddim
from ...host.models.schedules import schedule_of
from ...inversion.regularize import Regularization
from ...inversion.types import Inversion
from ...pocket.captions import caption
from ...pocket.render import render
from ...pocket.scene import Scene
from ..transfers.inverted import Models
from .tasks import SIZE, Edit

STEPS = 25
"""Of every method where nothing else is said; the paper has 100, its code 50."""

Conditioning = list[list[Any]]


@dataclass(frozen=True, eq=False)
class Subjects:
    """B scenes of one edit. size: of the images, in pixels, which the network must be trained for."""

    models: Models
    edit: Edit
    scenes: tuple[Scene, ...]
    steps: int = STEPS
    size: int = SIZE

    @cached_property
    def images(self) -> Tensor:
        """[B, H, W, 3] in 0..1."""
        return render(self.scenes, self.size).image

    @cached_property
    def answers(self) -> Tensor:
        """As a perfect edit would show them."""
        return render([self.edit.answer(scene) for scene in self.scenes], self.size).image

    @cached_property
    def latents(self) -> Tensor:
        """[B, 4, h, w] in the VAE's scale."""
        return self.models.encode(self.images)

    @cached_property
    def source(self) -> Conditioning:
        """Under the full captions."""
        return self.models.conditioning([caption(scene) for scene in self.scenes])

    @cached_property
    def swapped(self) -> Conditioning:
        """Under the captions with the target's word in place of the source's."""
        return self.models.conditioning(self.target_captions)

    @cached_property
    def direction(self) -> EditDirection:
        """Between all captions with the source's word and all with the target's."""
        banks = (self.edit.bank(word) for word in (self.edit.source, self.edit.target))
        return direction_between(*mean_encodings(self.models.clip, *banks))

    def apply_direction(self, strength: float) -> Conditioning:
        """The source's, moved along the direction."""
        return apply_direction(self.source, self.direction, strength)

    @property
    def target_captions(self) -> list[str]:
        """What the edited images should show, in words."""
        return [caption(self.edit.answer(scene)) for scene in self.scenes]

    @cached_property
    def regularized(self) -> Inversion:
        """Regularized inversion under the source's captions, with the node's defaults."""
        return self._inverted(Regularization())

    @cached_property
    def inverted(self) -> Inversion:
        """Plain DDIM inversion."""
        return self._inverted(None)

    def _inverted(self, regularization: Regularization | None) -> Inversion:
        schedule = schedule_of(self.models.model, steps=self.steps)
        return invert_with_ddim(
            self.models.model, self.latents, self.source, self.source, schedule, regularization=regularization
        )
