"""Overlap of masks against sets of positions, and as an image."""

import pytest
import torch
from appearance_transfer.evaluation.masks import mask_per_image
from appearance_transfer.evaluation.overlap import BOTH, ONLY_FOUND, ONLY_TRUE, intersection_over_union, overlap_image


def masks(seed: int, images: int = 4) -> torch.Tensor:
    return torch.rand(images, 9, 7, generator=torch.Generator().manual_seed(seed)) > 0.6


def positions(mask: torch.Tensor) -> set[tuple[int, ...]]:
    return set(map(tuple, mask.nonzero().tolist()))


def test_it_is_the_share_of_positions() -> None:
    found, true = masks(0), masks(1)
    expected = [
        len(positions(a) & positions(b)) / len(positions(a) | positions(b)) for a, b in zip(found, true, strict=True)
    ]
    torch.testing.assert_close(intersection_over_union(found, true), torch.tensor(expected), atol=1e-6, rtol=0)
    assert torch.equal(intersection_over_union(true, found), intersection_over_union(found, true))
    assert (intersection_over_union(found, found) == 1).all()


def test_a_mask_that_moves_away_overlaps_less_and_less() -> None:
    square = torch.zeros(1, 32, 32, dtype=torch.bool)
    square[:, 8:16, 8:16] = True
    overlaps = [float(intersection_over_union(square.roll(step, -1), square)) for step in range(0, 12, 2)]
    assert overlaps[0] == 1
    assert overlaps[4:] == [0, 0]
    assert all(b < a for a, b in zip(overlaps[:4], overlaps[1:5], strict=True))


def test_the_image_tells_the_three_apart() -> None:
    found, true = torch.tensor([[[True, True, False, False]]]), torch.tensor([[[True, False, True, False]]])
    expected = torch.tensor([[[BOTH, ONLY_FOUND, ONLY_TRUE, (0.0, 0.0, 0.0)]]])
    assert torch.equal(overlap_image(found, true), expected)


def test_one_mask_serves_all_images_at_their_size() -> None:
    mask = torch.zeros(1, 4, 4)
    mask[:, :2] = 1
    fitted = mask_per_image(mask, 3, (8, 16))
    assert fitted.shape == (3, 8, 16)
    assert (fitted[:, :3] > 0.5).all()
    assert (fitted[:, 5:] < 0.5).all()


def test_masks_are_one_for_all_or_one_for_each() -> None:
    with pytest.raises(ValueError, match="2 masks for 6 images"):
        mask_per_image(torch.ones(2, 9, 9), 6, (64, 64))
