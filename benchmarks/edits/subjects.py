"""Pictures to edit, made ready once for all methods: encoded, inverted, with their texts before and after.

A batch carries a text per picture: the embeddings are stacked in one CONDITIONING, which the host keeps row by row.
Imports the host's modules, so import it after the host has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

from torch import Tensor

from ...editing.direction import EditDirection, direction_between
from ...host.inverting import invert_with_ddim
from ...host.schedules import schedule_of
from ...host.text_encoding import mean_encodings, moved
from ...inversion.record import Inversion
from ...inversion.regularise import Regularisation
from ...pocket.captions import caption
from ...pocket.render import render
from ...pocket.scene import Scene
from ..transfers.inverted import Models
from .tasks import SIZE, Edit

STEPS = 25
"""Of every method; the paper has 100, its code 50."""

Conditioning = list[list[Any]]


@dataclass(frozen=True, eq=False)
class Subjects:
    """B scenes of one edit."""

    models: Models
    edit: Edit
    scenes: tuple[Scene, ...]

    @cached_property
    def pictures(self) -> Tensor:
        """[B, H, W, 3] in 0..1."""
        return render(self.scenes, SIZE).image

    @cached_property
    def answers(self) -> Tensor:
        """As a perfect edit would show them."""
        return render([self.edit.answer(scene) for scene in self.scenes], SIZE).image

    @cached_property
    def latents(self) -> Tensor:
        """[B, 4, h, w] in the VAE's scale."""
        return self.models.encode(self.pictures)

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

    def moved(self, strength: float) -> Conditioning:
        """The source's, moved along the direction."""
        return moved(self.source, self.direction, strength)

    @property
    def target_captions(self) -> list[str]:
        """What the edited pictures should show, in words."""
        return [caption(self.edit.answer(scene)) for scene in self.scenes]

    @cached_property
    def regularised(self) -> Inversion:
        """Regularised inversion under the source's captions, with the node's defaults."""
        return self._inverted(Regularisation())

    @cached_property
    def inverted(self) -> Inversion:
        """Plain DDIM inversion."""
        return self._inverted(None)

    def _inverted(self, regularisation: Regularisation | None) -> Inversion:
        schedule = schedule_of(self.models.model, steps=STEPS)
        return invert_with_ddim(
            self.models.model, self.latents, self.source, self.source, schedule, regularisation=regularisation
        )
