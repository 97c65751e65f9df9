"""The scenes of the images: the first held-out pairs, none of them chosen, and the same with other coats."""

from __future__ import annotations

from ..edits.tasks import Edit
from ..transfers.pairs import ScenePair, held_out_pairs
from .contents import PAIRS


def pairs() -> list[ScenePair]:
    return held_out_pairs(PAIRS)


def edits(of: list[ScenePair]) -> list[Edit]:
    """Of each structure: from the word for its coat to the word for the coat of its appearance."""
    return [Edit("coat", pair.structure.coat, pair.appearance.coat) for pair in of]


def as_edited(of: list[ScenePair]) -> list[ScenePair]:
    """What the edits are measured against: each structure, beside the same animal in the other coat."""
    return [ScenePair(pair.structure, edit.answer(pair.structure)) for pair, edit in zip(of, edits(of), strict=True)]
