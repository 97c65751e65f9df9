"""The pairs that every effect is measured on: scenes that no training has seen.

The trainers draw their scenes from seeds of a million and more (pocket/train_*.py); these lie below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from ...pocket.captions import caption
from ...pocket.checkpoint import DEFAULT_NETWORK, LARGE_NETWORK
from ...pocket.render import Rendering, render
from ...pocket.scene import Scene, random_scene

FIRST_SEED = 900_000
NETWORK_OF_SIZE = {128: DEFAULT_NETWORK, 256: LARGE_NETWORK}
"""Pixels of the images, and the pocket network that is trained for them."""
SIZE = 128
"""Where a benchmark does not ask."""


@dataclass(frozen=True)
class ScenePair:
    """Two animals of different species with different coats; poses and colors as their seeds have it."""

    structure: Scene
    appearance: Scene

    @property
    def same_side(self) -> bool:
        """Do both heads point to the same side of the image?"""
        return self.structure.faces_left == self.appearance.faces_left

    @property
    def answer(self) -> Scene:
        """What a perfect transfer would show: the structure animal in the coat and colors of the appearance animal."""
        appearance = self.appearance
        return replace(
            self.structure,
            coat=appearance.coat,
            coat_color=appearance.coat_color,
            coat_phase=appearance.coat_phase,
            color=appearance.color,
            part_colors=appearance.part_colors,
        )


def held_out_pairs(count: int, first_seed: int = FIRST_SEED) -> list[ScenePair]:
    """The first `count` pairs; more pairs begin with the same ones. With another first seed: to try settings on."""
    pairs = []
    seed = first_seed
    while len(pairs) < count:
        structure = random_scene(seed)
        appearance = random_scene(seed := seed + 1)
        while appearance.species == structure.species or appearance.coat == structure.coat:
            appearance = random_scene(seed := seed + 1)
        pairs.append(ScenePair(structure, appearance))
        seed += 1
    return pairs


@dataclass(frozen=True, eq=False)
class RenderedPairs:
    """B pairs with all that is true about them."""

    pairs: tuple[ScenePair, ...]
    structure: Rendering
    appearance: Rendering
    answer: Rendering

    @property
    def structure_nouns(self) -> list[str]:
        """What the structure images show, in one word each."""
        return [pair.structure.species for pair in self.pairs]

    @property
    def appearance_nouns(self) -> list[str]:
        """What the appearance images show, in one word each."""
        return [pair.appearance.species for pair in self.pairs]

    @property
    def appearance_captions(self) -> list[str]:
        """The full captions of the appearance images."""
        return [caption(pair.appearance) for pair in self.pairs]


def rendered(pairs: list[ScenePair], size: int) -> RenderedPairs:
    """Render both sides of the pairs, and the answers, at `size` pixels."""
    sides = ([getattr(pair, side) for pair in pairs] for side in ("structure", "appearance", "answer"))
    return RenderedPairs(tuple(pairs), *(render(scenes, size) for scenes in sides))


def prompt(noun: str) -> str:
    """The prompt that an image is inverted with, as in the demo."""
    return f"a photo of a {noun}"
