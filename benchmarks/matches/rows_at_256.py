"""Matches by the pocket transformer's features and by those of the U-Net for 256 px, every method.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

from torch import Tensor

from ...correspondence.dift import BLOCK_PRESETS
from ...correspondence.features import Features
from ...correspondence.match import FIELD, NEAREST, TRANSPORT, match
from ...pocket.checkpoint import LARGE_NETWORK, TRANSFORMER_NETWORK
from ..transfers.dift import dift
from ..transfers.fused_sides import fused_features
from ..transfers.inverted import models_of
from ..transfers.pairs import RenderedPairs, ScenePair, rendered
from .elsewhere import finer, moved, moved_back
from .field_rows import FREE, MASKED, Results
from .keypoints import fractions_found, keypoints_of
from .plain import position
from .sides import both_ways, row_of
from .sources import TRANSFORMER

SIZE = 256
MOVED = "PCK@0.1, mirrored as fits, appearance moved"
Source = Callable[[Tensor, list[str]], Features]
"""(images [B, H, W, 3], their nouns) -> their features."""


def rows_at_256(pairs: Sequence[ScenePair]) -> Results:
    """PCK of each source by every method: inside the true masks, without masks, and inside them where the appearance is
    read elsewhere in its image, so that positions and their noise cannot help.
    """
    truth = rendered(list(pairs), SIZE)
    keypoints = keypoints_of(truth)
    values: Results = {}
    for name, source in _sources():
        sides = (
            finer(source(truth.structure.image, truth.structure_nouns)), *appearances(source, truth, elsewhere=False)
        )  # fmt: skip
        elsewhere = (sides[0], *appearances(source, truth, elsewhere=True))
        for method in (NEAREST, TRANSPORT, FIELD):
            matcher = partial(match, method=method)
            ways, free, other = (
                both_ways(sides, matcher, truth),
                both_ways(sides, matcher, truth, masks=False),
                both_ways(elsewhere, matcher, truth),
            )
            values[f"{name}, {method}"] = row_of(ways, ways.by_cosine(), truth, keypoints) | {
                FREE: fractions_found(free.taken(free.by_cosine()), keypoints).tolist(),
                MOVED: row_of(other, other.by_cosine(), truth, keypoints)[MASKED],
            }
    return values


def appearances(source: Source, truth: RenderedPairs, *, elsewhere: bool) -> list[Features]:
    """The features of the appearances and of their mirror images; elsewhere: read after they were moved."""
    found = []
    for images in (truth.appearance.image, truth.appearance.image.flip(2)):
        features = source(moved(images) if elsewhere else images, truth.appearance_nouns)
        found.append(finer(moved_back(features) if elsewhere else features))
    return found


def _sources() -> Iterator[tuple[str, Source]]:
    transformer, unet = models_of(TRANSFORMER_NETWORK), models_of(LARGE_NETWORK)
    preset = BLOCK_PRESETS["pocket transformer"]
    yield f"{TRANSFORMER} (8 draws)", partial(dift, transformer, **preset)
    yield f"{TRANSFORMER} (one draw)", partial(dift, transformer, **preset, ensemble=1)
    yield "U-Net at 256 px (one draw)", partial(fused_features, unet)
    yield "the same place in the image", lambda images, nouns: position(images)
