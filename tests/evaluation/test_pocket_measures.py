"""The two measures of a transfer, on images for which the answer is known."""

import pytest
import torch
from appearance_transfer.evaluation.overlap import intersection_over_union
from appearance_transfer.evaluation.part_colors import part_color_distance, relative_part_color_error
from appearance_transfer.evaluation.silhouettes import silhouette
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene

PARTS = torch.tensor([[0, 1], [2, 2]])
RED, GREEN, BLUE = torch.eye(3)


def painted(body: torch.Tensor, legs: torch.Tensor) -> torch.Tensor:
    """An image of 2 x 2 pixels with a body (label 1) and legs (label 2)."""
    return torch.stack([torch.stack([torch.ones(3), body]), torch.stack([legs, legs])])


def test_the_appearance_itself_has_no_error_and_the_structure_has_one() -> None:
    structure, appearance = painted(RED, GREEN), painted(BLUE, GREEN)
    assert relative_part_color_error(appearance, structure, PARTS, appearance, PARTS) == 0
    assert relative_part_color_error(structure, structure, PARTS, appearance, PARTS) == 1


def test_distance_is_the_mean_over_the_shared_parts() -> None:
    assert part_color_distance(painted(RED, GREEN), PARTS, painted(BLUE, GREEN), PARTS) == pytest.approx(2**0.5 / 2)
    only_legs = torch.where(PARTS == 1, 0, PARTS)
    assert part_color_distance(painted(RED, GREEN), PARTS, painted(BLUE, GREEN), only_legs) == 0


def test_images_without_a_common_part_are_refused() -> None:
    with pytest.raises(ValueError, match="no part in common"):
        part_color_distance(painted(RED, GREEN), PARTS, painted(RED, GREEN), torch.zeros_like(PARTS))


def test_silhouette_finds_every_rendered_animal() -> None:
    scenes = render([random_scene(seed) for seed in range(1000, 1024)], 128)
    overlap = intersection_over_union(silhouette(scenes.image), scenes.mask > 0.5)
    assert overlap.mean() > 0.95
    assert overlap.min() > 0.90


def test_overlap_of_known_masks() -> None:
    left = torch.tensor([[True, False], [True, False]])
    top = torch.tensor([[True, True], [False, False]])
    assert intersection_over_union(left, top) == pytest.approx(1 / 3)
    assert intersection_over_union(left & ~left, left & ~left) == 1
