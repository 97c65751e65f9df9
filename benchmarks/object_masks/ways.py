"""Find Object and its stages, beside what it has to beat.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from scipy.ndimage import distance_transform_edt
from torch import Tensor
from torch.nn.functional import interpolate

from ...host.matching.object_finding import object_maps
from ...host.models.schedules import schedule_of
from ...inversion.defaults import START_AT, STEPS
from ...objects.find import Clicks, find_object
from ...objects.random_walker import walk
from ...objects.ranking import on_one_grid, rank_object
from ..transfers.inverted import SEGMENTATIONS, Models, noised, segmented
from ..transfers.pairs import prompt
from .scenes import Objects
from .steps import Step, ellipse

MIDDLE_SHARE = 0.33
"""Of the image, what the object covers in the mean of whole scenes (16 pairs from seed 800000 on)."""


@dataclass(frozen=True, eq=False)
class Seen:
    """Objects, and the features [B, C, h, w] of the blocks that Find Object reads, coarse to fine."""

    models: Models
    objects: Objects
    maps: list[Tensor]


def seen(models: Models, objects: Objects) -> Seen:
    """One evaluation of every image, each under the prompt of its noun."""
    positive = models.conditioning([prompt(noun) for noun in objects.nouns])
    return Seen(models, objects, object_maps(models.model, models.encode(objects.images), positive, seed=42))


Way = Callable[[Seen], Tensor]
"""-> bool [B, H, W]"""


def found(this: Seen, blocks: Sequence[int] = (0, 1), *, click: bool = False) -> Tensor:
    """By Find Object; click: with one click on the point of the object that lies deepest inside it."""
    masks = []
    for i, image in enumerate(this.objects.images):
        clicks = Clicks(objects=(_deepest(this.objects.masks[i]),)) if click else None
        masks.append(find_object([this.maps[block][i] for block in blocks], image, clicks=clicks).mask)
    return _at_size_of(this, torch.stack(masks))


def ranked(this: Seen) -> Tensor:
    """By the first stage, the ranking of features, alone."""
    number = len(this.objects.images)
    ranks = [rank_object(on_one_grid([one[i] for one in this.maps])) for i in range(number)]
    return _at_size_of(this, torch.stack(ranks))


def middle(this: Seen) -> Tensor:
    """An ellipse in the middle, as large as objects are in the mean."""
    number, height, width, _ = this.objects.images.shape
    return ellipse(height, width, MIDDLE_SHARE).expand(number, -1, -1)


def by_step(this: Seen, step: Step) -> Tensor:
    """By Find Object with another step."""
    maps = ([one[i] for one in this.maps] for i in range(len(this.objects.images)))
    masks = [step(one, image) for one, image in zip(maps, this.objects.images, strict=True)]
    return _at_size_of(this, torch.stack(masks))


def self_segmented(this: Seen, settings: str) -> Tensor:
    """By Self-Segmentation, whose clusters a word names."""
    schedule = schedule_of(this.models.model, steps=STEPS, start_at=START_AT)
    reference = noised(this.models, this.objects.images, this.objects.nouns, schedule)
    return _at_size_of(this, segmented(this.models, reference, this.objects.nouns, SEGMENTATIONS[settings]))


def walked(this: Seen, masks: Tensor) -> Tensor:
    """Masks [B, H, W] of the objects after Find Object's second stage, the random walker."""
    probabilities = [walk(image, mask.float()) for image, mask in zip(this.objects.images, masks, strict=True)]
    return _at_size_of(this, torch.stack(probabilities))


def _deepest(mask: Tensor) -> tuple[float, float]:
    depth = torch.from_numpy(distance_transform_edt(mask.numpy()))
    row, column = divmod(int(depth.argmax()), depth.shape[1])
    return (row + 0.5) / depth.shape[0], (column + 0.5) / depth.shape[1]


def _at_size_of(this: Seen, masks: Tensor) -> Tensor:
    size = this.objects.masks.shape[1:]
    return interpolate(masks[:, None].float(), size=size, mode="bilinear", align_corners=False)[:, 0] > 0.5
