"""PCK, the share of keypoints that are found (Yang & Ramanan, PAMI 2013), as SPair-71k and DIFT count it.

A keypoint is found when the predicted point lies within alpha times a size of the true one (distance <= threshold):
the longer side of the object's bounding box (PCK@alpha_bbox) or of the image (PCK@alpha_img), in the appearance.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

import torch
from torch import Tensor

from .correspondence import Correspondence
from .points import Point, matched_points

T = TypeVar("T")

ALPHA = 0.1
"""How near counts as found, as a share of the size; the papers' value."""


@dataclass(frozen=True)
class KeypointResult:
    """Keypoints of one image: predicted [N, 2] (x, y; NaN where nothing matched), true [N, 2], and correct [N]."""

    predicted: Tensor
    truth: Tensor
    correct: Tensor
    threshold: float

    def __str__(self) -> str:
        errors = (self.predicted - self.truth).norm(dim=1).tolist()
        messages = [
            f"  {i}: {'found' if hit else 'missed'}, {f'{error:.1f} px away' if error == error else 'no match'}"
            for i, (hit, error) in enumerate(zip(self.correct.tolist(), errors, strict=True))
        ]
        total = f"{int(self.correct.sum())} of {len(self.correct)} within {self.threshold:.1f} px"
        return "\n".join([total, *messages])


def pck(predicted: Tensor, truth: Tensor, size: float, alpha: float = ALPHA) -> Tensor:
    """[N] bool: which of the predicted points [N, 2] lie within alpha * size of the true ones [N, 2], in pixels.

    NaN counts as not found.
    """
    return (predicted - truth).norm(dim=-1) <= alpha * size


def reference_sizes(
    correspondence: Correspondence,
    appearance_points: Sequence[Sequence[Point]],
    mask: Tensor | None = None,
    *,
    whole_image: bool = False,
) -> list[float]:
    """What alpha is a share of, for each image, in pixels of the appearance.

    The longer side of the whole image; or of the box around the mask [B or 1, H, W]; or, without a mask, of the box
    around the keypoints. Raises ValueError where there is no such box.
    """
    if whole_image:
        return [float(max(correspondence.appearance_image))] * correspondence.images
    if mask is None:
        boxes = [torch.tensor(points, dtype=torch.float64).view(-1, 2) for points in appearance_points]
        sizes = [float((box.amax(0) - box.amin(0)).max()) if len(box) else 0.0 for box in boxes]
    else:
        scale = correspondence.appearance_image[0] / mask.shape[-2]
        sizes = [_box_side(image) * scale for image in mask]
    if not all(sizes):
        raise ValueError(
            "The object has no box to measure by: its mask is empty, or it has a single keypoint. Connect a mask of "
            "the object in the appearance, or set the reference to the image."
        )
    return list(_of_images(sizes, correspondence.images, "boxes"))


def _box_side(mask: Tensor) -> float:
    """The longer side of the box around what is above 0 in a mask [H, W]; 0 if that is nothing."""
    sides = []
    for axis in (0, 1):
        there = torch.nonzero((mask > 0).any(dim=axis))[:, 0]
        sides.append(int(there[-1] - there[0]) + 1 if len(there) else 0)
    return float(max(sides))


def find_keypoints(
    correspondence: Correspondence,
    structure_points: Sequence[Sequence[Point]],
    appearance_points: Sequence[Sequence[Point]],
    sizes: Sequence[float],
    alpha: float = ALPHA,
) -> list[KeypointResult]:
    """How well each image's matches carry its structure points to its appearance points.

    structure_points, appearance_points: a list (x, y) in pixels for each image, or one list for all; the i-th point
        of one belongs to the i-th of the other. sizes: what alpha is a share of, for each image, in pixels.

    Raises ValueError for lists of different length, without points, or of a wrong number of images.
    """
    ours = _of_images(structure_points, correspondence.images, "lists of structure keypoints")
    theirs = _of_images(appearance_points, correspondence.images, "lists of appearance keypoints")
    results = []
    for i, (asked, true) in enumerate(zip(ours, theirs, strict=True)):
        if len(asked) != len(true) or not asked:
            raise ValueError(
                f"Image {i} has {len(asked)} structure keypoint(s) and {len(true)} appearance keypoint(s). Give the "
                "same keypoints in the same order for both images, at least one."
            )
        predicted, truth = matched_points(correspondence, asked, i), torch.tensor(true, dtype=torch.float64)
        results.append(KeypointResult(predicted, truth, pck(predicted, truth, sizes[i], alpha), alpha * sizes[i]))
    return results


def summary(images: Sequence[KeypointResult]) -> tuple[float, float, str]:
    """(per image, per point, report): the mean over images of the share found, the share of all, and all in words."""
    fractions = [float(found.correct.double().mean()) for found in images]
    every = torch.cat([found.correct for found in images]).double()
    lines = [f"image {i}: {found}" for i, found in enumerate(images)]
    return sum(fractions) / len(fractions), float(every.mean()), "\n".join(lines)


def _of_images(items: Sequence[T], images: int, name: str) -> Sequence[T]:
    if len(items) not in (1, images):
        raise ValueError(
            f"There are {len(items)} {name} for {images} image(s). Give one for all, or one for each image "
            "(keypoints of the next image come after an empty line)."
        )
    return list(items) * (images // len(items))
