"""Latent deviation against the paper's equations in the paper's own scaling. Float64 where not said, torch 2.11."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.guidance.deviation import DeviationParams, deviate
from appearance_transfer.inversion.schedule import Schedule, leading_timesteps
from appearance_transfer.inversion.step import step
from appearance_transfer.tests.inversion.stable_diffusion import scaled_linear_alpha_bar

SHAPE = (2, 4, 5, 6)
STEPS, STEP = 50, 14


def randn(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*(shape or SHAPE), dtype=torch.float64, generator=torch.Generator().manual_seed(seed))


@pytest.fixture
def schedule() -> Schedule:
    alpha_bar = scaled_linear_alpha_bar()[leading_timesteps(STEPS)]
    return Schedule((*((1 - alpha_bar) / alpha_bar).sqrt().tolist(), 0.0))


@pytest.fixture
def mask() -> torch.Tensor:
    """Soft, one for both images."""
    return torch.rand(1, *SHAPE[-2:], dtype=torch.float64, generator=torch.Generator().manual_seed(5))


def network(seen: torch.Tensor) -> torch.Tensor:
    """The answer of a network to what it sees, which is x / hypot(a, b), the papers' x_t."""
    return torch.sin(2 * seen) + 0.3 * seen.flip(-1)


def papers_step(x_t, warped, mask, abar, abar_next, mixing, predicts) -> torch.Tensor:
    """Equations 2, 3, 5, 6, 7 and 13 as they are printed, for a network that predicts eps or v (spec A1)."""

    def eps_at(z):
        answer = network(z)
        return answer if predicts == "eps" else math.sqrt(abar) * answer + math.sqrt(1 - abar) * z

    eps = eps_at(x_t)
    x0 = (x_t - math.sqrt(1 - abar) * eps) / math.sqrt(abar)
    moved = mask * ((1 - mixing.delta) * x0 + mixing.delta * warped) + (1 - mask) * x0
    deviated = math.sqrt(abar) * moved + math.sqrt(1 - abar) * eps
    x_star = mixing.keep_latent * x_t + (1 - mixing.keep_latent) * deviated
    eps_star = mixing.keep_noise * eps + (1 - mixing.keep_noise) * eps_at(deviated)
    direction = math.sqrt(1 - abar_next) * eps_star
    return math.sqrt(abar_next / abar) * (x_star - math.sqrt(1 - abar) * eps_star) + direction


@pytest.mark.parametrize("predicts", ["eps", "v"])
@pytest.mark.parametrize(
    "mixing",
    [DeviationParams(), DeviationParams(0.9, 0.5, 0.1), DeviationParams(1.0, 0.0, 0.0), DeviationParams(0.3, 0.0, 1.0)],
)
def test_it_is_the_paper_in_the_hosts_scaling(schedule, mask, predicts, mixing):
    """Relative 1e-12. x_t = x / sqrt(1 + sigma^2), and the model's estimate of x0 is handed in as ComfyUI does."""
    sigma = schedule.sigmas[STEP]
    abar, abar_next = (1 / (1 + schedule.sigmas[i] ** 2) for i in (STEP, STEP + 1))
    x_t, warped = randn(0), randn(1)

    def denoise(x):
        seen = x * math.sqrt(abar)
        if predicts == "eps":
            return x - sigma * network(seen)
        return math.sqrt(abar) * seen - math.sqrt(1 - abar) * network(seen)

    x = x_t / math.sqrt(abar)
    start, target = deviate(x, denoise(x), warped, mask, schedule.pair(STEP)[0], denoise, mixing)
    ours = step(start, target, None, schedule, STEP, eta=0.0) * math.sqrt(abar_next)
    reference = papers_step(x_t, warped, mask[:, None], abar, abar_next, mixing, predicts)
    torch.testing.assert_close(ours, reference, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("flow", [False, True])
def test_it_is_the_equations_in_any_scaling(mask, flow):
    """The same equations with (a, b) in place of the roots, for a flow model too. Relative 1e-12."""
    schedule = Schedule((0.9, 0.6, 0.3, 0.0), flow=flow, finest=0.01)
    a, b = schedule.pair(1)
    a_next, b_next = schedule.pair(2)
    x, warped, mixing = randn(0), randn(1), DeviationParams(0.7, 0.3, 0.4)
    denoised = network(x)
    eps = (x - a * denoised) / b
    moved = denoised + mask[:, None] * mixing.delta * (warped - denoised)
    deviated = a * moved + b * eps
    eps_there = (deviated - a * network(deviated)) / b
    x_star = mixing.keep_latent * x + (1 - mixing.keep_latent) * deviated
    eps_star = mixing.keep_noise * eps + (1 - mixing.keep_noise) * eps_there
    expected = a_next / a * (x_star - b * eps_star) + b_next * eps_star
    start, target = deviate(x, denoised, warped, mask, a, network, mixing)
    torch.testing.assert_close(step(start, target, None, schedule, 1, 0.0), expected, rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("case", ["delta is 0", "the mask is empty", "lambda and gamma are 1", "it matches already"])
def test_the_plain_step_bit_by_bit(schedule, case):
    """Spec 3.2, in fp32 as ComfyUI samples: nothing is added, so nothing is rounded."""
    x, warped = randn(0).float(), randn(1).float()
    a, mask, mixing = 0.37, torch.ones(1, *SHAPE[-2:]), DeviationParams()
    denoised = network(x)
    if case == "delta is 0":
        mixing = DeviationParams(delta=0.0)
    elif case == "the mask is empty":
        mask = torch.zeros_like(mask)
    elif case == "lambda and gamma are 1":
        mixing = DeviationParams(keep_latent=1.0, keep_noise=1.0)
    else:
        warped = denoised
    start, target = deviate(x, denoised, warped, mask, a, network, mixing)
    assert torch.equal(start, x)
    assert torch.equal(target, denoised)


def test_the_shift_of_x0_is_0_48_of_the_gap(schedule):
    """Spec 3.2: (1 - lambda)*delta, with a model that takes the noise for the same at x' (eps' = eps)."""
    a, b = schedule.pair(STEP)
    x, warped, eps = randn(0), randn(1), randn(2)
    mask = torch.zeros(1, *SHAPE[-2:], dtype=torch.float64)
    mask[:, :, 3:] = 1

    def denoise(latent):
        return (latent - b * eps) / a

    denoised = denoise(x)
    _, target = deviate(x, denoised, warped, mask, a, denoise, DeviationParams())
    torch.testing.assert_close(target[..., 3:], (denoised + 0.48 * (warped - denoised))[..., 3:], rtol=1e-12, atol=0)
    assert torch.equal(target[..., :3], denoised[..., :3])


def test_the_identity_of_equation_15(schedule, mask):
    """x_next in the paper's scaling from x0, the shift and both noises (arXiv 2311.16513). Relative 1e-12."""
    sigma = schedule.sigmas[STEP]
    abar, abar_next = (1 / (1 + schedule.sigmas[i] ** 2) for i in (STEP, STEP + 1))
    x, warped, mixing = randn(0) * 3, randn(1), DeviationParams()
    denoised = network(x)
    start, target = deviate(x, denoised, warped, mask, 1.0, network, mixing)
    x_next = step(start, target, None, schedule, STEP, 0.0) * math.sqrt(abar_next)
    eps, eps_star = (x - denoised) / sigma, (start - target) / sigma
    shift = mixing.delta * mask[:, None] * (warped - denoised)
    expected = math.sqrt(abar_next) * (denoised + (1 - mixing.keep_latent) * shift)
    expected = expected + math.sqrt(1 - abar_next) * eps_star
    expected = expected + math.sqrt(abar_next * (1 - abar) / abar) * (eps - eps_star)
    torch.testing.assert_close(x_next, expected, rtol=1e-12, atol=1e-12)


def test_the_model_is_asked_once_more_at_the_deviated_latent(mask):
    asked = []
    x, denoised, warped = randn(0), randn(1), randn(2)

    def denoise(latent):
        asked.append(latent)
        return latent

    deviate(x, denoised, warped, mask, 0.5, denoise, DeviationParams())
    assert len(asked) == 1
    torch.testing.assert_close(asked[0], x + 0.5 * 0.6 * mask[:, None] * (warped - denoised))


def test_one_mask_serves_a_batch_and_each_image_may_have_its_own(mask):
    x, denoised, warped = randn(0), randn(1), randn(2)
    rows = mask.expand(2, -1, -1)
    shared = deviate(x, denoised, warped, mask, 1.0, network, DeviationParams())
    assert all(map(torch.equal, shared, deviate(x, denoised, warped, rows, 1.0, network, DeviationParams())))
    everywhere = deviate(x, denoised, warped, torch.ones_like(rows), 1.0, network, DeviationParams())
    assert all(map(torch.equal, everywhere, deviate(x, denoised, warped, None, 1.0, network, DeviationParams())))


@pytest.mark.parametrize(
    ("mixing", "plain"),
    [
        (DeviationParams(), False),
        (DeviationParams(delta=0), True),
        (DeviationParams(0.6, 1, 1), True),
        (DeviationParams(0.6, 1, 0.2), False),
    ],
)
def test_what_needs_no_work_says_so(mixing, plain):
    assert mixing.plain is plain
