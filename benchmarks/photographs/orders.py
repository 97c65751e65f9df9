"""Cases in which anyone can say which of two images is nearer: does a measure say so, too?"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from . import IMAGES, photograph, square
from .distortions import blurred, recolored
from .measures import Measure

SIDE = 224
KINDRED = (
    ("red_cow.jpg", "spotted_cow.jpg"),
    ("giraffe.png", "zebra.png"),
    ("apples.jpg", "oranges.jpg"),
    ("chocolate_cake.jpg", "red_velvet_cake.jpg"),
    ("duomo.png", "taj_mahal.jpg"),
    ("cat_1.png", "cat_4.png"),
)
"""Pairs that show something of one kind."""
TEXTURES = {  # two positions (x, y) of each, at a shorter side of 512
    "zebra.png": ((150, 170), (260, 190)),
    "giraffe.png": ((257, 200), (330, 250)),
    "duomo.png": ((110, 300), (330, 300)),
    "spotted_cow.jpg": ((60, 430), (420, 430)),
    "horse_mud.jpg": ((30, 390), (250, 420)),
    "chocolate_cake.jpg": ((95, 170), (190, 215)),
}
TEXTURE_SIDE = 72
OTHER_HUES = 0.45
"""Of the color wheel."""


@dataclass(frozen=True)
class Order:
    """What a measure says of images that are near, and of such as are further away, case by case."""

    name: str
    measure: str
    near: list[float]
    far: list[float]

    @property
    def right(self) -> list[float]:
        """1 where the near one is nearer: where the number of two images is smaller, or greater for an overlap."""
        sign = -1 if self.measure.startswith("IoU") else 1
        return [float(sign * near < sign * far) for near, far in zip(self.near, self.far, strict=True)]


def orders(measures: dict[str, Measure]) -> Iterator[Order]:
    """Every case, measured."""
    kindred = list(_kindred())
    named = (
        ("recolored, or another of its kind", "structure distance", lambda own, other: (_other_hues(own), other)),
        ("recolored, or another of its kind", "IoU of the foreground", lambda own, other: (_other_hues(own), other)),
        ("blurred by 1 px, or another of its kind", "LPIPS", lambda own, other: (blurred(own, 1), other)),
        ("recolored, or another of its kind", "IoU of SAM masks", lambda own, other: (_other_hues(own), other)),
        (
            "blurred by 1 px, or other hues",
            "color histogram distance",
            lambda own, _: (blurred(own, 1), _other_hues(own)),
        ),
        ("mirrored, or other hues", "color histogram distance", lambda own, _: (own.flip(-1), _other_hues(own))),
    )
    for name, measure, choices in named:
        found = [measures[measure](torch.cat(choices(own, other)), own).tolist() for own, other in kindred]
        yield Order(name, measure, *map(list, zip(*found, strict=True)))
    yield textures(measures["Gram distance"])


def textures(gram: Measure) -> Order:
    """Each crop against the other crop of its texture, and against the nearest of all other textures."""
    crops = torch.cat([crop for file, positions in TEXTURES.items() for crop in _crops(file, positions)])
    near, far = [], []
    for i in range(len(crops)):
        distances = gram(crops, crops[i : i + 1])
        unpatched = i ^ 1
        others = [j for j in range(len(crops)) if j not in (i, unpatched)]
        near.append(distances[unpatched].item())
        far.append(distances[others].min().item())
    return Order("more of a texture, or another texture", "Gram distance", near, far)


def _kindred() -> Iterator[tuple[Tensor, Tensor]]:
    """Each photograph with the other of its pair."""
    for files in KINDRED:
        first, second = (square(IMAGES / file, SIDE) for file in files)
        yield first, second
        yield second, first


def _crops(file: str, positions: tuple[tuple[int, int], ...]) -> list[Tensor]:
    image = photograph(IMAGES / file, 512)
    return [image[..., y : y + TEXTURE_SIDE, x : x + TEXTURE_SIDE] for x, y in positions]


def _other_hues(image: Tensor) -> Tensor:
    return recolored(image, OTHER_HUES)
