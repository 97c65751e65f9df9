"""Do features find the same spot of another thing of its kind? PCK on the keypoints of PF-WILLOW.

A keypoint is found within alpha times the longer side of the box around the keypoints, as the data set's authors count.
Pairs share photographs, so the intervals over them are narrower than those over other photographs would be.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...correspondence.features import Features
from ...correspondence.fusion import fuse
from ...correspondence.match import NEAREST, SOFT, match
from ...correspondence.pck import find_keypoints, reference_sizes
from ...evaluation.backbone import Backbone
from ...vit.preprocess import vit_input, vit_size
from ...vit.vit import VisionTransformer
from ..matches.plain import chance, pixels, position
from .willow import Annotated, pairs

Source = Callable[[Tensor], Features]
"""An image [1, 3, H, W] in 0..1 -> its features."""

SIDE = 336
"""Pixels of the shorter side as a network sees it: 24 positions of DINOv2, 21 of VGG's last block."""
LAYERS = (9, 10)
ALPHAS = (0.05, 0.1, 0.15)


def sources(vit: VisionTransformer, vgg: Backbone) -> Iterator[tuple[str, Source]]:
    """Every source by its name."""
    for facet in ("tokens", "keys"):
        for layer in LAYERS:
            yield f"DINOv2, {facet} of block {layer}", partial(_of_vit, vit, facet=facet, layer=layer)
    for block in (3, 4):
        yield f"VGG-16, end of block {block + 1}", partial(_of_vgg, vgg, block=block)
    yield "raw pixels", partial(_of_pixels, pixels, neighborhood=1)
    yield "raw pixels, 3 x 3", partial(_of_pixels, pixels, neighborhood=3)
    yield "the same position", partial(_of_pixels, position)
    yield "chance", partial(_of_pixels, chance)


def fused_sources(vit: VisionTransformer) -> Iterator[tuple[str, Source]]:
    """What the field is measured with: the best of `sources`, alone and with a second."""
    keys, tokens = (partial(_of_vit, vit, facet=facet, layer=layer) for facet, layer in (("keys", 10), ("tokens", 9)))
    yield "DINOv2, keys of block 10", keys
    yield "DINOv2, keys of block 10 and tokens of block 9", lambda image: fuse([keys(image), tokens(image)], [1.0, 1.0])


def measured(
    classes: Mapping[str, Sequence[Annotated]], source: Source, method: str = NEAREST
) -> dict[str, list[float]]:
    """PCK of one source at every alpha, over all pairs and over those of each class."""
    fractions: dict[str, list[float]] = {f"PCK@{alpha:g}": [] for alpha in ALPHAS}
    of_classes: dict[str, list[float]] = {}
    for name, photographs in classes.items():
        features = [source(one.image) for one in photographs]
        for i, j in pairs(len(photographs)):
            for alpha, fraction in _found(features[i], features[j], photographs[i], photographs[j], method):
                fractions[f"PCK@{alpha:g}"].append(fraction)
                of_classes.setdefault(f"PCK@{alpha:g}, {name}", []).append(fraction)
    return fractions | of_classes


def _found(
    structure: Features, appearance: Features, asked: Annotated, true: Annotated, method: str
) -> Iterator[tuple[float, float]]:
    """Each alpha and the share of keypoints found within it."""
    keypoints = torch.zeros(1, *structure.image)
    for x, y in asked.points:
        keypoints[0, int(y), int(x)] = 1
    alone = method in (NEAREST, SOFT)  # then nobody asks for the other positions
    matches = match(structure, appearance, method=method, structure_mask=keypoints if alone else None)
    sizes = reference_sizes(matches, [true.points])
    for alpha in ALPHAS:
        (found,) = find_keypoints(matches, [asked.points], [true.points], sizes, alpha)
        yield alpha, found.correct.double().mean().item()


def _of_vit(vit: VisionTransformer, image: Tensor, *, facet: str, layer: int) -> Features:
    inputs = vit_input(image, short=SIDE, long=None, patch=vit.architecture.patch)
    vit_output = vit.forward_features(inputs, layer)
    return Features(vit_output.on_grid(getattr(vit_output, facet)), tuple(image.shape[-2:]))


def _of_vgg(vgg: Backbone, image: Tensor, *, block: int) -> Features:
    size = vit_size(*image.shape[-2:], short=SIDE, long=None)
    messages = list(vgg(interpolate(image, size, mode="bilinear") * 2 - 1))
    return Features(messages[block][-1], tuple(image.shape[-2:]))


def _of_pixels(features: Callable[..., Features], image: Tensor, **settings: int) -> Features:
    return features(image.movedim(1, -1), **settings)
