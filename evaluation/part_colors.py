"""Did each part of the object take the color of the same part of the appearance image?

For images whose parts are known, such as those of the pocket world. Colors are the mean RGB of a part, so a
patterned coat counts by its mixture.
"""

import torch
from torch import Tensor


def part_colors(image: Tensor, parts: Tensor) -> dict[int, Tensor]:
    """Mean color [3] of every part that is visible, by its label.

    image: [H, W, 3] in 0..1. parts: [H, W] integer labels; 0 is the background and left out.
    """
    labels = [int(label) for label in parts.unique() if label != 0]
    return {label: image[parts == label].mean(0) for label in labels}


def part_color_distance(image: Tensor, parts: Tensor, appearance: Tensor, appearance_parts: Tensor) -> Tensor:
    """Mean over the parts that both images show of the Euclidean distance between their colors (0 to sqrt(3)).

    Raises ValueError when they have no part in common.
    """
    ours, theirs = part_colors(image, parts), part_colors(appearance, appearance_parts)
    common = sorted(ours.keys() & theirs.keys())
    if not common:
        raise ValueError("The two images show no part in common, so there are no colors to compare.")
    return torch.stack([torch.linalg.vector_norm(ours[label] - theirs[label]) for label in common]).mean()


def relative_part_color_error(
    output: Tensor, structure: Tensor, structure_parts: Tensor, appearance: Tensor, appearance_parts: Tensor
) -> Tensor:
    """The output's distance to the appearance as a share of the structure image's: 0 is perfect, 1 is doing nothing.

    All images [H, W, 3] in 0..1. The output is read by the structure's parts: it should have kept its shape.
    """
    before = part_color_distance(structure, structure_parts, appearance, appearance_parts)
    after = part_color_distance(output, structure_parts, appearance, appearance_parts)
    return after / before
