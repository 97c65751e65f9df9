"""The pairs that every effect is measured on: scenes that no training has seen.

The trainers draw their scenes from seeds of a million and more (pocket/train_*.py); these lie below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...pocket.captions import caption
from ...pocket.render import Rendering, render
from ...pocket.scene import Scene, random_scene

FIRST_SEED = 900_000
SIZE = 128
"""Of the pictures, in pixels: what the pocket checkpoint is trained for."""


@dataclass(frozen=True)
class Pair:
    """Two animals of different species with different coats; poses and colours as their seeds have it."""

    structure: Scene
    appearance: Scene

    @property
    def same_side(self) -> bool:
        """Do both heads point to the same side of the picture?"""
        return self.structure.faces_left == self.appearance.faces_left

    @property
    def answer(self) -> Scene:
        """What a perfect transfer would show: the structure animal in the coat and colours of the appearance animal."""
        look = self.appearance
        return replace(
            self.structure,
            coat=look.coat,
            coat_colour=look.coat_colour,
            coat_phase=look.coat_phase,
            colour=look.colour,
            part_colours=look.part_colours,
        )


def held_out_pairs(count: int, first_seed: int = FIRST_SEED) -> list[Pair]:
    """The first `count` pairs; more pairs begin with the same ones. With another first seed: to try settings on."""
    pairs = []
    seed = first_seed
    while len(pairs) < count:
        structure = random_scene(seed)
        appearance = random_scene(seed := seed + 1)
        while appearance.species == structure.species or appearance.coat == structure.coat:
            appearance = random_scene(seed := seed + 1)
        pairs.append(Pair(structure, appearance))
        seed += 1
    return pairs


@dataclass(frozen=True)
class RenderedPairs:
    """B pairs with all that is true about them."""

    pairs: tuple[Pair, ...]
    structure: Rendering
    appearance: Rendering
    answer: Rendering

    @property
    def structure_nouns(self) -> list[str]:
        """What the structure pictures show, in one word each."""
        return [pair.structure.species for pair in self.pairs]

    @property
    def appearance_nouns(self) -> list[str]:
        """What the appearance pictures show, in one word each."""
        return [pair.appearance.species for pair in self.pairs]

    @property
    def appearance_captions(self) -> list[str]:
        """The full captions of the appearance pictures."""
        return [caption(pair.appearance) for pair in self.pairs]


def rendered(pairs: list[Pair], size: int) -> RenderedPairs:
    """Render both sides of the pairs, and the answers, at `size` pixels."""
    sides = ([getattr(pair, side) for pair in pairs] for side in ("structure", "appearance", "answer"))
    return RenderedPairs(tuple(pairs), *(render(scenes, size) for scenes in sides))


def prompt(noun: str) -> str:
    """The prompt that a picture is inverted with, as in the demo."""
    return f"a photo of a {noun}"
