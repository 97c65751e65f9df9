"""The edits that are measured: one word of a caption becomes another, and a scene what that word says.

The trainers draw their scenes from seeds of a million and more (pocket/train_*.py); these lie below.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import count, islice, product

from ...pocket.captions import caption
from ...pocket.scene import COATS, COLORS, GROUNDS, SPECIES, Scene, random_scene

FIRST_SEED = 960_000
SIZE = 128
"""Of the images, in pixels: what the pocket checkpoint is trained for."""
TRAITS = {"species": SPECIES, "coat": COATS, "color": tuple(COLORS), "ground": GROUNDS}


@dataclass(frozen=True)
class Edit:
    """Of one trait (a key of TRAITS) from `source` to `target`. fixed: traits that all scenes of this edit share."""

    trait: str
    source: str
    target: str
    fixed: tuple[tuple[str, str], ...] = ()

    @property
    def name(self) -> str:
        """E.g. "horse to cow"."""
        return f"{self.source} to {self.target}"

    @property
    def needs_classifier(self) -> bool:
        """Whether it takes a trained eye to see the trait; a color can be measured."""
        return self.trait != "color"

    def bank(self, word: str) -> list[str]:
        """Every full caption of the pocket world that has `word` for the trait; surroundings in the same order."""
        choices = TRAITS | {self.trait: (word,)}
        some = random_scene(0)
        return [
            caption(replace(some, **dict(zip(choices, words, strict=True)))) for words in product(*choices.values())
        ]

    def scenes(self, number: int, first_seed: int = FIRST_SEED) -> list[Scene]:
        """The first `number` scenes with the source; more begin with the same ones."""
        expected = {**dict(self.fixed), self.trait: self.source}
        drawn = (random_scene(seed) for seed in count(first_seed))
        fitting = (s for s in drawn if all(getattr(s, trait) == word for trait, word in expected.items()))
        return list(islice(fitting, number))

    def answer(self, scene: Scene) -> Scene:
        """The same scene with the target, as a perfect edit would show it. Stripes have the seed's second color."""
        changed = replace(scene, **{self.trait: self.target})
        if self.trait == "color":
            changed = replace(changed, part_colors=(COLORS[self.target], *scene.part_colors[1:]))
        return changed


HORSE_TO_COW = Edit("species", "horse", "cow")
PLAIN_TO_STRIPED = Edit("coat", "plain", "striped")
RED_TO_BLUE = Edit("color", "red", "blue", fixed=(("coat", "plain"),))
EDITS = (HORSE_TO_COW, PLAIN_TO_STRIPED, RED_TO_BLUE)
