"""The reference loop of pix2pix-zero that ours is measured against makes the authors' forwards, and the same image."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():
        return world.small_model()


def edited(model, side: str, size: int, **schedule) -> torch.Tensor:
    from appearance_transfer.benchmarks.official import edit_loop

    task = edit_loop.EditTask(world.latents(3)[..., :size, :size], world.prompt(1), world.prompt(3), **schedule)
    with torch.inference_mode():
        return getattr(edit_loop, side)(model, task)


@pytest.mark.parametrize(
    ("side", "timesteps", "evaluations"),
    [("released", "reference", 48 + 100 + 200), ("ours", "consistent", 50 + 50 + 200)],
)
def test_evaluations_of_fifty_steps(model, side, timesteps, evaluations) -> None:
    """Inversion, reconstruction, and per step both texts twice, once with a graph."""
    counted = model.clone()
    counter = world.count_evaluations(counted)
    edited(counted, side, 8, steps=50, timesteps=timesteps)
    assert counter.samples == evaluations


def test_both_make_the_same_image(model) -> None:
    """Up to the half precision in which maps are kept."""
    found = [edited(model, side, 16, steps=6, timesteps="reference") for side in ("released", "ours")]
    assert world.relative(*found) < 1e-3
