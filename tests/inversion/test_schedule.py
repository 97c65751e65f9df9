"""Noise levels: the papers' numbers, the golden schedule, and what cannot be sampled. Float64, torch 2.11."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.inversion.schedule import (
    SMALLEST_SD_SIGMA,
    Schedule,
    leading_timesteps,
)
from appearance_transfer.tests.golden.reference import golden
from appearance_transfer.tests.inversion.stable_diffusion import scaled_linear_alpha_bar


@pytest.mark.parametrize("steps", [10, 50, 100])
def test_leading_timesteps_are_the_official_ones(steps):
    assert leading_timesteps(steps) == golden("operators", f"schedule.timesteps_{steps}").tolist()


def test_leading_timesteps_of_a_count_that_does_not_divide():
    assert leading_timesteps(6) == [831, 665, 499, 333, 167, 1]
    assert leading_timesteps(1) == [1]


def test_leading_timesteps_cover_the_whole_range_for_any_count():
    """Less than one stride is left out at the noisy end, and no timestep lies beyond the last, 999."""
    for steps in range(1, 1001):
        timesteps = leading_timesteps(steps)
        assert len(set(timesteps)) == steps
        assert timesteps == sorted(timesteps, reverse=True)
        assert timesteps[-1] in (0, 1)
        assert 1000 - 2 * 1000 / steps <= timesteps[0] <= 999
    assert leading_timesteps(1000) == list(range(999, -1, -1))
    assert leading_timesteps(999)[0] == leading_timesteps(501)[0] == 999
    assert leading_timesteps(60)[:2] == [984, 967]


@pytest.mark.parametrize("steps", [0, 1001])
def test_leading_timesteps_refuse_impossible_counts(steps):
    with pytest.raises(ValueError, match=r"1\.\.1000"):
        leading_timesteps(steps)


def test_alpha_bar_is_the_official_one():
    reference = golden("operators", "schedule.alphas_cumprod").double()  # a product of a thousand fp32 factors
    torch.testing.assert_close(scaled_linear_alpha_bar(), reference, rtol=2e-6, atol=0)


@pytest.mark.parametrize(
    ("t", "alpha_bar"),
    [(0, 0.99915), (1, 0.99829603), (11, 0.98953755), (261, 0.65566933), (671, 0.10151140), (999, 0.00466010)],
)
def test_alpha_bar_values(t, alpha_bar):
    assert scaled_linear_alpha_bar()[t].item() == pytest.approx(alpha_bar, abs=1e-8)


@pytest.mark.parametrize("steps", [10, 50, 100])
def test_pairs_are_the_official_levels(steps, leading_schedule):
    """a^2/(a^2 + b^2) is abar of each level, and the image stands at abar[0], in the papers' scaling."""
    schedule = leading_schedule(steps)
    levels = torch.tensor([schedule.pair(i) for i in range(steps + 1)], dtype=torch.float64)
    alpha_bar = levels[:, 0] ** 2 / levels.square().sum(dim=1)
    current = golden("operators", f"schedule.abar_{steps}").double()
    torch.testing.assert_close(alpha_bar[:-1], current, rtol=2e-6, atol=0)
    previous = golden("operators", f"schedule.abar_prev_{steps}").double()
    torch.testing.assert_close(alpha_bar[1:], previous, rtol=2e-6, atol=0)
    assert schedule.pair(steps) == pytest.approx((math.sqrt(0.99915), math.sqrt(0.00085)), rel=1e-12)
    assert math.isclose(SMALLEST_SD_SIGMA, 0.0291671, abs_tol=1e-6)


def test_pair_of_flow_levels():
    schedule = Schedule((1.0, 0.25, 0.0), flow=True, finest=0.001)
    assert schedule.pair(0) == (0.0, 1.0)
    assert schedule.pair(1) == (0.75, 0.25)
    assert schedule.pair(2) == (0.999, 0.001)


def test_a_last_step_below_the_finest_level_still_goes_down():
    schedule = Schedule((1.0, 0.01, 0.0))
    a, b = schedule.pair(2)
    assert b / a == pytest.approx(0.01 * math.sqrt(0.5))


def test_a_run_that_stops_on_the_way_ends_at_its_own_level():
    schedule = Schedule((2.0, 1.0, 0.5))
    assert schedule.pair(2) == (1.0, 0.5)
    assert not schedule.ends_at_image


@pytest.mark.parametrize("i", [-1, 3])
def test_there_is_no_level_outside(i):
    with pytest.raises(IndexError):
        Schedule((2.0, 1.0, 0.0)).pair(i)


def test_tail_drops_steps():
    schedule = Schedule((3.0, 2.0, 1.0, 0.0), finest=0.5)
    assert schedule.tail(1) == Schedule((2.0, 1.0, 0.0), finest=0.5)
    assert schedule.tail(0) == schedule
    assert schedule.tail(2).steps == 1
    for start in (-1, 3):
        with pytest.raises(ValueError, match="start_at"):
            schedule.tail(start)


def test_index_of_finds_levels_that_went_through_fp32():
    schedule = Schedule((14.6146, 3.1, 0.0292, 0.0))
    assert [schedule.index_of(float(torch.tensor(sigma))) for sigma in schedule.sigmas] == [0, 1, 2, 3]
    assert schedule.index_of(3.1 * 1.0009) == 1
    assert schedule.index_of(3.1 * 1.01) is None
    assert schedule.index_of(0.001) is None


@pytest.mark.parametrize(
    ("sigmas", "flow", "sentence"),
    [
        ((), False, "at least one step"),
        ((1.0,), False, "at least one step"),
        ((1.0, 2.0, 0.0), False, "must decrease"),
        ((1.0, 1.0, 0.0), False, "must decrease"),
        ((1.0, math.nan), False, "finite"),
        ((math.inf, 1.0), False, "finite"),
        ((1.0, -0.5), False, "0 or more"),
        ((14.6, 1.0, 0.0), True, "flow model"),
    ],
)
def test_what_cannot_be_sampled_is_refused_in_a_sentence(sigmas, flow, sentence):
    with pytest.raises(ValueError, match=sentence):
        Schedule(sigmas, flow)


@pytest.mark.parametrize("finest", [0.0, -1.0, math.nan])
def test_the_finest_level_is_above_zero(finest):
    with pytest.raises(ValueError, match="above 0"):
        Schedule((1.0, 0.0), finest=finest)
