"""DDIM inversion against the probability flow ODE of a Gaussian, which is known. Float64, torch 2.11."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.inversion.ddim import invert_ddim
from appearance_transfer.inversion.replay import replay
from appearance_transfer.inversion.schedule import Schedule


def geometric(steps: int, flow: bool) -> Schedule:
    """Levels whose steps shrink alike when there are more of them; the image is one step below the last one."""
    high, low = (0.999, 0.02) if flow else (14.6, 0.0292)
    ratio = (low / high) ** (1 / steps)
    sigmas = tuple(high * ratio**i for i in range(steps))
    return Schedule((*sigmas, 0.0), flow, finest=low)


@pytest.mark.parametrize("flow", [False, True])
def test_inversion_converges_to_the_flow_of_the_ode(images, gaussian, flow):
    """First order: twice the steps, half the error, at every fourth level."""
    errors = []
    for steps in (200, 400):
        schedule = geometric(steps, flow)
        denoise = gaussian(0.3, 0.8, flow)
        trajectory = invert_ddim(denoise, images, schedule)
        levels = range(0, steps, steps // 4)
        paths = [denoise.path(images, schedule, i) for i in levels]
        errors.append(max((trajectory[i] - path).norm() / path.norm() for i, path in zip(levels, paths, strict=True)))
    assert errors[0] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)


@pytest.mark.parametrize("flow", [False, True])
def test_replay_returns_the_image(images, gaussian, flow):
    errors = []
    for steps in (200, 400):
        schedule = geometric(steps, flow)
        denoise = gaussian(0.3, 0.8, flow)
        final = replay(denoise, invert_ddim(denoise, images, schedule)[0], schedule, None, 0.0)
        errors.append((final - images).norm() / images.norm())
    assert errors[0] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.2)


def test_one_step_in_the_papers_notation(images, leading_schedule):
    """x_next = sqrt(abar_t / abar_p) * (x - sqrt(1 - abar_p) e) + sqrt(1 - abar_t) e, e at (current latent, t)."""
    schedule = leading_schedule(10)
    alpha_bar = [1 / (1 + sigma**2) for sigma in schedule.sigmas[:-1]] + [0.99915]

    def network(x_t, t):
        return torch.sin(3 * x_t + t)

    def denoise(x, sigma):
        t = min(range(10), key=lambda i: abs(schedule.sigmas[i] - sigma[0].item()))
        return x - sigma[0] * network(x / math.sqrt(1 + sigma[0] ** 2), t)

    trajectory = invert_ddim(denoise, images, schedule)
    x = images
    for i in reversed(range(10)):
        e = network(x, i)
        x = math.sqrt(alpha_bar[i] / alpha_bar[i + 1]) * (x - math.sqrt(1 - alpha_bar[i + 1]) * e)
        x = x + math.sqrt(1 - alpha_bar[i]) * e
        torch.testing.assert_close(trajectory[i] * math.sqrt(alpha_bar[i]), x, rtol=1e-7, atol=1e-7)
    assert torch.equal(trajectory[-1], images)


def test_a_straight_flow_is_inverted_in_one_step(images):
    """A flow whose velocity is the same everywhere on the way, v = noise - x0, needs no small steps."""
    noise = images.flip(0)
    schedule = Schedule((1.0, 0.4, 0.0), flow=True, finest=0.001)
    image = 0.999 * images + 0.001 * noise

    def denoise(x, sigma):
        return x - sigma.view(-1, 1, 1, 1) * (noise - images)

    trajectory = invert_ddim(denoise, image, schedule)
    torch.testing.assert_close(trajectory[0], noise)
    torch.testing.assert_close(trajectory[1], 0.6 * images + 0.4 * noise)


def test_progress_counts_up_from_the_clean_end(images, gaussian, leading_schedule):
    reported, denoise = [], gaussian(0, 1)
    invert_ddim(denoise, images, leading_schedule(4), on_step=lambda i, total, denoised: reported.append((i, total)))
    assert reported == [(0, 4), (1, 4), (2, 4), (3, 4)]
    assert denoise.calls == sorted(denoise.calls)


def test_a_run_that_does_not_end_at_the_image_is_refused(images, gaussian):
    with pytest.raises(ValueError, match="end at 0"):
        invert_ddim(gaussian(0, 1), images, Schedule((3.0, 1.0)))
