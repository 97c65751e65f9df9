"""The object of an image: ranked on features, walked over its colors, corrected by clicks and by a hint."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor
from torch.nn.functional import interpolate

from .clicked import chosen
from .random_walker import Pixel, WalkerSettings, walk
from .ranking import on_one_grid, rank_object

FADES_FROM, FADES_TO = 0.25, 0.75
"""Probabilities between which the edge of the mask fades; outside of them it is exactly 0 or 1."""


@dataclass(frozen=True)
class Clicks:
    """Pixels (y, x), as shares of height and width, that are known to be of the object or of the background."""

    objects: tuple[Pixel, ...] = ()
    background: tuple[Pixel, ...] = ()


@dataclass(frozen=True, eq=False)
class FoundObject:
    """mask: [H', W'] in 0..1 with soft edges, of the image at up to `WalkerSettings.side` pixels. certainty: 0..1, how
    decided the mask is inside. complement: whether the hint has exchanged object and background.
    """

    mask: Tensor
    certainty: float
    complement: bool = False


def find_object(
    maps: Sequence[Tensor],
    image: Tensor,
    *,
    clicks: Clicks | None = None,
    hint: Tensor | None = None,
    contrast: float = WalkerSettings.contrast,
) -> FoundObject:
    """The object of one image.

    maps: features [C, h, w] of one or several layers, on any grids. image: [H, W, 3] in 0..1. contrast: of its colors,
        see `WalkerSettings`.
    clicks: known pixels; one of the object chooses it among several, so another click finds the next object. hint:
        [h, w], where the object rather is, for example a word's attention: of what was found and the rest, the side
        with the higher mean of it is the object. It helps where the object covers the border.

    Raises ValueError for clicks outside of the image.
    """
    known = clicks or Clicks()
    for y, x in (*known.objects, *known.background):
        if not (0 <= y < 1 and 0 <= x < 1):
            raise ValueError("A click lies outside of the image. Click inside it, or remove the point.")
    features = on_one_grid(list(maps))
    grid = features.shape[-2], features.shape[-1]
    cells = [tuple((int(y * grid[0]), int(x * grid[1])) for y, x in some) for some in (known.objects, known.background)]
    probability = rank_object(features, objects=cells[0], background=cells[1])
    exchanged = hint is not None and _is_background(probability, hint)
    if exchanged:
        probability = 1 - probability
    settings = WalkerSettings(contrast=contrast)
    walked = walk(image, probability, settings, objects=known.objects, background=known.background)
    if known.objects:
        walked = _chosen(walked, image, probability, settings, known)
    mask = _faded(walked)
    inside = walked[walked > 0.5]
    certainty = float(2 * inside.mean() - 1) if len(inside) else 0.0
    return FoundObject(mask, certainty, exchanged)


def fit_to_colors(mask: Tensor, image: Tensor) -> Tensor:
    """[H', W'] in 0..1 as `FoundObject.mask`: a coarse mask [h, w] in 0..1, its edges moved to those of the image.

    image: [H, W, 3] in 0..1. The random walker alone, with the mask for its prior: a mask of nothing stays so.
    """
    return _faded(walk(image, mask))


def _faded(walked: Tensor) -> Tensor:
    return ((walked - FADES_FROM) / (FADES_TO - FADES_FROM)).clamp(0, 1)


def _chosen(walked: Tensor, image: Tensor, probability: Tensor, settings: WalkerSettings, clicks: Clicks) -> Tensor:
    """What the clicks mean of what was found; one of the background parts it only where the object would be else."""
    height, width = walked.shape
    objects, background = (
        tuple((int(y * height), int(x * width)) for y, x in some) for some in (clicks.objects, clicks.background)
    )
    if background:
        without = walk(image, probability, settings, objects=clicks.objects)
        background = tuple(cell for cell in background if without[cell] > 0.5)
    return chosen(walked, objects, background)


def hint_on(hint: Tensor, grid: tuple[int, int]) -> Tensor:
    """[h, w] fp32: a hint on a grid of positions; once more changes nothing."""
    return interpolate(hint[None, None].float(), size=grid, mode="bilinear")[0, 0]


def _is_background(probability: Tensor, hint: Tensor) -> bool:
    """Whether what was found has less of the hint than the rest."""
    size = (probability.shape[-2], probability.shape[-1])
    there = hint_on(hint, size).to(probability)
    inside, outside = probability.sum().clamp(min=1e-6), (1 - probability).sum().clamp(min=1e-6)
    return bool((there * probability).sum() / inside < (there * (1 - probability)).sum() / outside)
