"""Points that show the same spot of the animal in two pocket scenes: known from the renderer, not found."""

from dataclasses import dataclass

import torch

from ...pocket.render import render
from ...pocket.scene import PARTS, random_scene
from ...pocket.truth import true_correspondence

Point = tuple[int, int]


@dataclass(frozen=True)
class Keypoint:
    """A spot in both images, each (x, y) in pixels, and the part it lies on."""

    part: str
    structure: Point
    appearance: Point


def true_keypoints(structure_seed: int, appearance_seed: int, size: int) -> list[Keypoint]:
    """One spot on each part that both images show: where the part is thickest in the structure."""
    parts, match = _truth(structure_seed, appearance_seed, size)
    visible = {part: (parts == label) & (match >= 0) for label, part in enumerate(PARTS) if label}
    spots = {part: _deepest(region) for part, region in visible.items() if region.any()}
    return [Keypoint(part, spot, _position(match, spot)) for part, spot in spots.items()]


def _truth(structure_seed: int, appearance_seed: int, size: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The structure's part labels and the true matches, [size, size] each; -1 where there is none."""
    structure, appearance = (render([random_scene(seed)], size) for seed in (structure_seed, appearance_seed))
    return structure.parts[0], true_correspondence(structure, appearance, mirror=True)


def _position(match: torch.Tensor, point: Point) -> Point:
    index = int(match[point[1], point[0]])
    if index < 0:
        raise ValueError(f"The appearance does not show the spot at {point}.")
    return index % match.shape[1], index // match.shape[1]


def as_text(points: list[Point]) -> str:
    """As our nodes read them: a line per point."""
    return "\n".join(f"{x}, {y}" for x, y in points)


def _deepest(region: torch.Tensor) -> Point:
    """(x, y) of the position of a region [H, W] that is farthest from its border."""
    from scipy.ndimage import distance_transform_edt

    depth = torch.from_numpy(distance_transform_edt(region.numpy()))
    index = int(depth.argmax())
    return index % region.shape[1], index // region.shape[1]
