"""A wide appearance, 1:2, on a square structure: each way to use it keeps its own size and aspect ratio.

Attention and rearrangement alone: test_cross_image_sizes.py and test_rearrangement.py; Latent Deviation:
test_deviation_runs.py.
"""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.cross_image import attend, resized
from appearance_transfer.tests.host.rearranging import rearrange

WIDE = (16, 32)  # beside 16 x 16


@pytest.fixture(scope="module")
def wide(model):
    return world.invert(model, resized(world.latents(2), WIDE), seed=7)


def left_half() -> torch.Tensor:
    mask = torch.zeros(1, 128, 256)
    mask[:, :, :128] = 1
    return mask


def test_adain_measures_inside_a_mask_of_its_own_shape(model, structure, wide) -> None:
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation

    def outcome(mask):
        return world.sample(model, structure, between_steps=AdaINOperation(wide, None, mask, world.window(2)))

    plain = world.sample(model, structure)
    whole, left = outcome(None), outcome(left_half())
    assert whole.shape == plain.shape
    assert world.relative(whole, plain) > 0.01
    assert world.relative(left, whole) > 1e-3


def test_adain_of_the_finished_latent(wide) -> None:
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation

    latent = world.latents(1)
    moved = AdaINOperation(wide, None, None, world.window(2))(latent)
    style = wide.x0 / 0.18215
    assert torch.allclose(moved.mean((-2, -1)), style.mean((-2, -1)), atol=1e-3)


def test_matches_by_dift_lie_in_its_own_grid(model, structure, wide) -> None:
    from appearance_transfer.host.transfer.plan import Appearance

    right = 1 - left_half()
    settings = {"match_source": "dift"}
    out = world.sample(rearrange(model, [Appearance(wide, appearance_mask=right)], structure, **settings), structure)
    other = world.sample(rearrange(model, [wide], structure, **settings), structure)
    assert out.shape == (1, 4, 16, 16)
    assert world.relative(out, other) > 1e-3


def test_what_attends_to_what_is_drawn_with_pieces_of_both_halves(model, structure, wide) -> None:
    from appearance_transfer.host.matching.attention_matches import paint_with_matches

    image = torch.zeros(1, 128, 256, 3)
    image[:, :, 128:] = 1
    with torch.inference_mode():
        painted, decided = paint_with_matches(model, structure, wide, image, 0.6)
    assert painted.shape == (1, 128, 128, 3)
    assert painted.min() == 0 and painted.max() == 1
    assert decided.shape == (1, 16, 16)


def test_a_grid_of_square_structures_and_wide_appearances(model, structure, wide) -> None:
    from appearance_transfer.inversion.pairing import every_pair

    both = world.invert(model, world.latents(5, 2))
    pairs = every_pair([both], [wide], appearance_mask=left_half())
    assert pairs.appearance_mask.shape == (2, 128, 256)
    out = world.sample(attend(model, [pairs.appearances], pairs.structures), pairs.structures)
    alone = world.sample(attend(model, [wide], both.image(1)), both.image(1))
    assert world.relative(out[1:], alone) < 1e-4
