"""Points that show the same spot of the animal in two pocket scenes: known from the renderer, not found."""

from dataclasses import dataclass

import torch

from ...pocket.render import render
from ...pocket.scene import PARTS, random_scene
from ...pocket.truth import true_correspondence

Point = tuple[int, int]


@dataclass(frozen=True)
class Keypoint:
    """A spot in both pictures, each (x, y) in pixels, and the part it lies on."""

    part: str
    structure: Point
    appearance: Point


def true_keypoints(structure_seed: int, appearance_seed: int, size: int) -> list[Keypoint]:
    """One spot on each part that both pictures show: where the part is thickest in the structure."""
    structure, appearance = (render([random_scene(seed)], size) for seed in (structure_seed, appearance_seed))
    match = true_correspondence(structure, appearance, mirror=True)
    found = []
    for label, part in enumerate(PARTS[1:], start=1):
        shown = (structure.parts[0] == label) & (match >= 0)
        if shown.any():
            y, x = _deepest(shown)
            found.append(Keypoint(part, (x, y), (int(match[y, x]) % size, int(match[y, x]) // size)))
    return found


def as_text(points: list[Point]) -> str:
    """As our nodes read them: a line per point."""
    return "\n".join(f"{x}, {y}" for x, y in points)


def _deepest(region: torch.Tensor) -> tuple[int, int]:
    """(y, x) of the place of a region [H, W] that is farthest from its border."""
    from scipy.ndimage import distance_transform_edt

    depth = torch.from_numpy(distance_transform_edt(region.numpy()))
    index = int(depth.argmax())
    return index // region.shape[1], index % region.shape[1]
