"""The small grammar of the pocket world: scene -> caption, and back."""

from __future__ import annotations

from .scene import COATS, COLORS, GROUNDS, SPECIES, Scene

_LEAD = "a photo of a"


def caption(scene: Scene) -> str:
    """E.g. "a photo of a striped red horse on grass"; the noun is the species, the color that of the body."""
    return f"{_LEAD} {scene.coat} {scene.color} {scene.species} on {scene.ground}"


def short_captions(scene: Scene) -> tuple[str, ...]:
    """Less complete captions of the same scene, so that a model trained on them understands short prompts too."""
    named, colored = f"{_LEAD} {scene.species}", f"{_LEAD} {scene.color} {scene.species}"
    return named, colored, f"{named} on {scene.ground}"


def parse(text: str) -> dict[str, str]:
    """The traits that a caption names, by field name of `Scene`. Raises ValueError for text outside the grammar."""
    words = text.split()
    lead = _LEAD.split()
    if words[: len(lead)] != lead:
        raise ValueError(f"{text!r} does not begin with {_LEAD!r}.")
    kinds = {"coat": COATS, "color": tuple(COLORS), "species": SPECIES, "ground": GROUNDS}
    found: dict[str, str] = {}
    for word in words[len(lead) :]:
        kind = next((name for name, known in kinds.items() if word in known), None)
        if kind is not None:
            found[kind] = word
        elif word != "on":
            raise ValueError(f"{text!r} has the word {word!r}, which the pocket world does not know.")
    return found
