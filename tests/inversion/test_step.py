"""One sampling step: the official decode step, the papers' variance, and what holds for every schedule. torch 2.11."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.inversion.schedule import Schedule
from appearance_transfer.inversion.step import mean, step, step_coefficients
from appearance_transfer.tests.golden.reference import golden
from hypothesis import assume, given, settings
from hypothesis import strategies as st

LEADING_100 = {t: 99 - t // 10 for t in (991, 671, 331, 11, 1)}


@pytest.mark.parametrize("t", LEADING_100)
def test_decode_step_is_the_official_one(t, leading_schedule):
    """fp32, max abs 1e-5. The step runs in ComfyUI's scaling, x = x_t * sqrt(1 + sigma^2), and is scaled back."""
    schedule, i = leading_schedule(100), LEADING_100[t]
    norms = [math.hypot(*schedule.pair(level)) for level in (i, i + 1)]
    x = golden("operators", "step.x") * norms[0]
    denoised = x - schedule.sigmas[i] * golden("operators", "step.eps")
    out = step(x, denoised, golden("operators", "step.z"), schedule, i, eta=1.0) / norms[1]
    torch.testing.assert_close(out, golden("operators", f"step.out_{t}"), atol=1e-5, rtol=0)


@pytest.mark.parametrize("steps", [10, 50, 100])
def test_noise_is_the_official_variance(steps, leading_schedule):
    schedule = leading_schedule(steps)
    scales = [step_coefficients(schedule, i, 1.0)[2] / math.hypot(*schedule.pair(i + 1)) for i in range(steps)]
    # The official variance is fp32 and takes a small difference from 1.
    reference = golden("operators", f"schedule.variance_{steps}").double()
    torch.testing.assert_close(torch.tensor(scales, dtype=torch.float64) ** 2, reference, rtol=2e-4, atol=0)


@pytest.mark.parametrize(("t", "deviation"), [(991, 0.334188), (671, 0.256766), (11, 0.037801), (1, 0.020648)])
def test_noise_values_of_the_specification(t, deviation, leading_schedule):
    schedule, i = leading_schedule(100), LEADING_100[t]
    _, _, noise = step_coefficients(schedule, i, 1.0)
    assert noise / math.hypot(*schedule.pair(i + 1)) == pytest.approx(deviation, abs=1e-6)


@st.composite
def schedules(draw, largest=100.0):
    flow = draw(st.booleans())
    top = 1.0 if flow else largest
    sigmas = sorted(draw(st.lists(st.floats(1e-3, top), min_size=2, max_size=6, unique=True)), reverse=True)
    assume(all(later < sooner * 0.999 for sooner, later in zip(sigmas, sigmas[1:], strict=False)))
    if draw(st.booleans()):
        sigmas.append(0.0)
    return Schedule(tuple(sigmas), flow, finest=draw(st.floats(1e-4, 0.1)))


@settings(deadline=None)
@given(schedules(), st.floats(0, 1), st.data())
def test_a_step_lands_on_the_next_noise_level(schedule, eta, data):
    """a' x0 plus noise of variance b'^2: direction^2 + noise^2 = b'^2, both real, for every schedule and eta."""
    i = data.draw(st.integers(0, schedule.steps - 1))
    a_next, direction, noise = step_coefficients(schedule, i, eta)
    expected = schedule.pair(i + 1)
    assert a_next == expected[0]
    assert math.hypot(direction, noise) == pytest.approx(expected[1], rel=1e-9)
    assert direction >= 0
    assert noise > 0 if eta > 1e-6 else noise >= 0


@settings(deadline=None)
@given(schedules(), st.data())
def test_eta_one_is_the_posterior_of_a_markov_chain(schedule, data):
    """With x0 known, DDPM's posterior variance is b'^2 (1 - ratio^2), and the step's eps weight is b' * ratio."""
    i = data.draw(st.integers(0, schedule.steps - 1))
    (a, b), (a_next, b_next) = schedule.pair(i), schedule.pair(i + 1)
    ratio = (a / b) / (a_next / b_next)
    _, direction, noise = step_coefficients(schedule, i, 1.0)
    assert direction == pytest.approx(b_next * ratio, rel=1e-6, abs=1e-9)
    assert noise**2 == pytest.approx(b_next**2 * (1 - ratio**2), rel=1e-6, abs=1e-15)


@settings(deadline=None)
@given(schedules(), st.data())
def test_a_perfect_prediction_moves_along_its_noise(schedule, data):
    """eta 0 and denoised = x0: x_next = a'*x0 + b'*eps with the same eps."""
    i = data.draw(st.integers(0, schedule.steps - 1))
    x0 = torch.linspace(-2, 2, 12, dtype=torch.float64)
    eps = torch.linspace(1, -1, 12, dtype=torch.float64)
    (a, b), (a_next, b_next) = schedule.pair(i), schedule.pair(i + 1)
    out = step(a * x0 + b * eps, x0, None, schedule, i, 0.0)
    torch.testing.assert_close(out, a_next * x0 + b_next * eps, rtol=1e-9, atol=1e-9)


def test_the_noise_map_is_added_with_its_scale(leading_schedule):
    schedule = leading_schedule(10)
    x, denoised, z = torch.randn(3, 2, 4, 3, 3, generator=torch.Generator().manual_seed(0))
    _, _, noise = step_coefficients(schedule, 4, 0.5)
    mu = mean(x, denoised, schedule, 4, 0.5)
    assert torch.equal(step(x, denoised, None, schedule, 4, 0.5), mu)
    assert torch.equal(step(x, denoised, z, schedule, 4, 0.5), mu + noise * z)


@pytest.mark.parametrize("eta", [-0.1, 1.1, math.nan])
def test_eta_outside_is_refused(eta, leading_schedule):
    with pytest.raises(ValueError, match="eta"):
        step_coefficients(leading_schedule(10), 0, eta)
