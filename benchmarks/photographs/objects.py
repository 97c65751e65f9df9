"""What Find Object cuts out of photographs, beside a network that was trained to (U2-Net-P) and one that is shown where
(MobileSAM).

There are no true masks. So the overlap of two of them says how far they agree; and of PF-WILLOW the keypoints are
known, which lie on the object: how many of them are inside, and how well the box around a mask fits the box around
them.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.functional import interpolate, pad

from ...correspondence.points import Point
from ...evaluation.overlap import intersection_over_union
from ...objects.find import find_object
from ...vit.preprocess import vit_input
from ...vit.vit import VisionTransformer
from ..real_weights import mobile_sam, u2net
from . import IMAGES, WILLOW, photograph
from .willow import classes

SIDE = 448
"""Pixels of the shorter side as DINOv2 sees it: 32 positions."""
TOKENS = 9
KEYS = TOKENS + 1
"""Blocks of DINOv2."""
CELL = 192
"""Pixels of an image on the sheet."""
BACKGROUND = (1.0, 0.0, 1.0)
FIND, U2NET, SAM, SAM_IN_OURS = "Find Object", "U2-Net-P", "MobileSAM in U2-Net-P's box", "MobileSAM in our box"
COMPARED = ((FIND, U2NET), (FIND, SAM), (FIND, SAM_IN_OURS), (U2NET, SAM))
Results = dict[str, dict[str, list[float]]]


@dataclass(frozen=True, eq=False)
class CutOut:
    """A photograph [1, 3, H, W] in 0..1 of a set, and masks bool [H, W] by what found them.

    points: known to lie on the object, (x, y) in pixels; none where nobody has marked them.
    """

    group: str
    image: Tensor
    masks: Mapping[str, Tensor]
    points: tuple[Point, ...] = ()


def groups() -> Iterator[tuple[str, Tensor, tuple[Point, ...]]]:
    """(set, photograph [1, 3, H, W], points on its object) of all that are there."""
    for path in sorted(IMAGES.iterdir()) if IMAGES.is_dir() else ():
        yield "pairs", photograph(path, SIDE), ()
    for name, photographs in classes().items() if WILLOW.is_dir() else ():
        for one in photographs:
            yield f"PF-WILLOW {name}", one.image, tuple(one.points)


def cut_out(vit: VisionTransformer, group: str, image: Tensor, points: tuple[Point, ...]) -> CutOut:
    """What each finds."""
    seen = mobile_sam.embed(image)
    ours, u2 = found(vit, image), u2net.foreground(image)[0] > 0.5
    masks = {FIND: ours, U2NET: u2, SAM: seen.in_box(mobile_sam.box_around(u2)) > 0}
    masks[SAM_IN_OURS] = seen.in_box(mobile_sam.box_around(ours)) > 0 if bool(ours.any()) else ours
    return CutOut(group, image, masks, points)


def found(vit: VisionTransformer, image: Tensor) -> Tensor:
    """bool [H, W]: the object of a photograph [1, 3, H, W] by Find Object, with features of DINOv2."""
    patches = vit_input(image, short=SIDE, long=None, patch=vit.architecture.patch)
    seen: list[Tensor] = []  # block KEYS takes what block TOKENS makes: one forward is enough
    hook = vit.blocks[KEYS].register_forward_pre_hook(lambda _, inputs: seen.append(inputs[0]))
    try:
        output = vit.forward_features(patches, KEYS)
    finally:
        hook.remove()
    maps = [output.on_grid(seen[0])[0], output.on_grid(output.keys)[0]]
    mask = find_object(maps, image[0].movedim(0, -1)).mask
    return interpolate(mask[None, None], image.shape[-2:], mode="bilinear", align_corners=False)[0, 0] > 0.5


def compared(photographs: list[CutOut]) -> Results:
    """How far masks agree with each other, and with the keypoints; of all photographs, and set by set."""
    values: Results = {}
    for one in photographs:
        for first, second in COMPARED:
            iou = float(intersection_over_union(one.masks[first], one.masks[second]))
            _add(values, f"{first} and {second}", one, {"IoU": iou, "IoU of 0.8 or more": float(iou >= 0.8)})
        for name, mask in one.masks.items() if one.points else ():
            measures = {"keypoints inside": inside(mask, one.points), "IoU of the boxes": box_overlap(mask, one.points)}
            _add(values, f"{name} and keypoints", one, measures)
    return {row: dict(sorted(metrics.items(), key=lambda item: ", " in item[0])) for row, metrics in values.items()}


def inside(mask: Tensor, points: tuple[Point, ...]) -> float:
    """The share of points that lie in a bool mask [H, W]."""
    return sum(bool(mask[int(y), int(x)]) for x, y in points) / len(points)


def box_overlap(mask: Tensor, points: tuple[Point, ...]) -> float:
    """IoU of the box around a bool mask [H, W] and the box around points."""
    if not mask.any():
        return 0.0
    left, top, right, bottom = mobile_sam.box_around(mask)
    x, y = zip(*points, strict=True)
    width, height = min(right, max(x)) - max(left, min(x)), min(bottom, max(y)) - max(top, min(y))
    shared = max(0.0, width) * max(0.0, height)
    areas = (right - left) * (bottom - top), (max(x) - min(x)) * (max(y) - min(y))
    return shared / (sum(areas) - shared)


def columns(photographs: list[CutOut]) -> dict[str, Tensor]:
    """Of a sheet: the photographs [B, CELL, CELL, 3], and what each has cut out of them."""
    names = (FIND, U2NET, SAM)
    cells = {"photograph": [_in_cell(one.image) for one in photographs]}
    for name in names:
        cells[name] = [_in_cell(_cut(one.image, one.masks[name])) for one in photographs]
    return {name: torch.cat(images).movedim(1, -1) for name, images in cells.items()}


def _cut(image: Tensor, mask: Tensor) -> Tensor:
    return torch.where(mask, image, torch.tensor(BACKGROUND).view(1, 3, 1, 1))


def _in_cell(image: Tensor) -> Tensor:
    """[1, 3, CELL, CELL], white around."""
    scale = CELL / max(image.shape[-2:])
    height, width = (round(length * scale) for length in image.shape[-2:])
    small = interpolate(image, (height, width), mode="bilinear", antialias=True).clamp(0, 1)
    right, below = CELL - width, CELL - height
    return pad(small, (right // 2, right - right // 2, below // 2, below - below // 2), value=1.0)


def _add(values: Results, row: str, one: CutOut, measures: Mapping[str, float]) -> None:
    for metric, value in measures.items():
        for name in (metric, f"{metric}, {one.group}"):
            values.setdefault(row, {}).setdefault(name, []).append(value)
