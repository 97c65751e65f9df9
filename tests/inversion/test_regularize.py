"""The two losses of regularized inversion against the reference code's tensors, autograd and white noise."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.inversion.regularize import (
    Regularization,
    draw_shifts,
    kl_loss,
    pair_loss,
    regularize,
    regularizer,
)
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden

CASES = ("white64", "white32", "rect64x48", "smooth64", "square8")


def released(name: str) -> torch.Tensor:
    return golden("p2pz_B1_regularisers", name, SPLICE_AND_PIX2PIX_ZERO)


def white(*shape: int, seed: int = 0) -> torch.Tensor:
    return torch.randn(shape, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


def smooth(*shape: int) -> torch.Tensor:
    return torch.nn.functional.avg_pool2d(white(*shape), 3, stride=1, padding=1)


def shifts_for(noise: torch.Tensor, seed: int = 0) -> torch.Tensor:
    return draw_shifts(noise, Regularization(), torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("case", CASES)
def test_losses_and_gradients_are_those_of_the_released_code(case) -> None:
    """Relative 1e-5, float32 against float32; seen on torch 2.11: 2e-7 or less."""
    noise = released(f"{case}.noise")
    pair, pair_gradient = pair_loss(noise, released(f"{case}.shifts"))
    kl, kl_gradient = kl_loss(noise)
    torch.testing.assert_close(pair.double(), released(f"{case}.auto_corr_loss"), rtol=1e-5, atol=0)
    torch.testing.assert_close(kl.double(), released(f"{case}.kl"), rtol=1e-5, atol=1e-7)
    for ours, theirs in ((pair_gradient, "auto_corr_grad"), (kl_gradient, "kl_grad")):
        expected = released(f"{case}.{theirs}")
        assert (ours - expected).abs().max() <= 1e-5 * expected.abs().max()
    everywhere_one = torch.ones_like(released(f"{case}.shifts"))
    torch.testing.assert_close(
        pair_loss(noise, everywhere_one)[0].double(), released(f"{case}.auto_corr_loss_shift1"), rtol=1e-5, atol=0
    )


@pytest.mark.parametrize("case", ["smooth64", "rect64x48"])
def test_the_whole_loop_is_that_of_the_released_code(case) -> None:
    moved = regularize(released(f"{case}.noise"), released(f"reg_loop.{case}.shifts"), Regularization())
    torch.testing.assert_close(moved, released(f"reg_loop.{case}.result"), rtol=0, atol=1e-5)


@pytest.mark.parametrize("size", [(64, 48), (17, 23), (4, 9)])
@pytest.mark.parametrize("gain", [1.0, 2.0])
def test_the_gradients_are_those_of_the_losses(size, gain) -> None:
    """Against autograd, also where pooling leaves a row or a column over."""
    noise = white(2, 3, *size).requires_grad_()
    shifts = shifts_for(noise)[0, 0]
    for loss in (lambda: pair_loss(noise, shifts, gain), lambda: kl_loss(noise)):
        value, ours = loss()
        (expected,) = torch.autograd.grad(value.sum(), noise)
        torch.testing.assert_close(ours.detach(), expected)


@pytest.mark.parametrize(("gain", "expected"), [(1.0, 8 * (1 + 1 / 4 + 1 / 16 + 1 / 64) / 4096), (2.0, 0.166)])
def test_white_noise_has_the_expected_pair_loss(gain, expected) -> None:
    """Spec, acceptance test 4: 0.0026, and 0.166 with the paper's gain."""
    noise = white(300, 4, 64, 64)
    loss, _ = pair_loss(noise, shifts_for(noise)[0, 0], gain)
    assert loss.mean().item() == pytest.approx(expected, rel=0.1)
    assert kl_loss(noise)[0].abs().max() < 5e-3


def test_shifts_are_never_zero_and_reach_half_of_the_map() -> None:
    noise = torch.zeros(1, 4, 64, 80)
    shifts = torch.cat([shifts_for(noise, seed).flatten(0, 2) for seed in range(40)])
    assert shifts.amin(0).tolist() == [1, 1, 1, 1]
    assert shifts.amax(0).tolist() == [31, 15, 7, 3]


def test_one_round_lowers_both_losses_of_correlated_noise() -> None:
    """Acceptance test 4, on neighbors that know each other, with a variance of about 1.2 and a mean of 0.1."""
    noise = 3.3 * smooth(2, 4, 32, 32) + 0.1
    shifts = shifts_for(noise)[:1]
    moved = regularize(noise, shifts, Regularization(rounds=1))
    assert (pair_loss(moved, shifts[0, 0])[0] < pair_loss(noise, shifts[0, 0])[0]).all()
    assert (kl_loss(moved)[0] < kl_loss(noise)[0]).all()


def test_an_image_is_moved_as_if_it_were_alone() -> None:
    noise = smooth(3, 4, 16, 16)
    together = regularizer(Regularization(seed=3))(noise)
    alone = regularizer(Regularization(seed=3))(noise[1:2])
    torch.testing.assert_close(together[1:2], alone, rtol=0, atol=1e-12)


def test_every_call_draws_anew_and_the_seed_says_what() -> None:
    noise = smooth(1, 4, 16, 16)
    first, other = regularizer(Regularization(seed=1)), regularizer(Regularization(seed=2))
    drawn = [first(noise), first(noise), other(noise)]
    assert not torch.equal(drawn[0], drawn[1])
    assert not torch.equal(drawn[0], drawn[2])
    assert torch.equal(regularizer(Regularization(seed=1))(noise), drawn[0])


def test_weights_of_zero_change_nothing() -> None:
    noise = smooth(1, 4, 16, 16)
    assert torch.equal(regularizer(Regularization(pair=0.0, divergence=0.0))(noise), noise)


def test_a_map_without_room_for_a_shift_is_refused() -> None:
    with pytest.raises(ValueError, match="3 wide or high"):
        regularizer(Regularization())(torch.zeros(1, 4, 3, 64))
