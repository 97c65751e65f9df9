"""Uni-Inv against the probability flow ODE of a Gaussian, which is known, and against DDIM. Float64, torch 2.11."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.inversion.ddim import invert_ddim
from appearance_transfer.inversion.replay import replay
from appearance_transfer.inversion.schedule import Schedule
from appearance_transfer.inversion.uni_inv import invert_uni_inv


def shifted(steps: int, shift: float = 3.0) -> Schedule:
    """The levels of SD3 and Z-Image, above the finest."""
    finest = 1e-3
    times = [1 - i * (1 - finest) / steps for i in range(steps)]
    return Schedule((*(shift * t / (1 + (shift - 1) * t) for t in times), 0.0), flow=True, finest=finest)


def relative(a, b) -> float:
    return float((a - b).norm() / b.norm())


def back(denoise, trajectory, schedule):
    return replay(denoise, trajectory[0], schedule, None, 0.0)


@pytest.mark.parametrize("steps", [4, 10, 25, 50])
def test_the_image_comes_back_nearer_than_from_ddim(images, gaussian, steps):
    schedule, denoise = shifted(steps), gaussian(0.3, 0.8, flow=True)
    ours, ddim = (
        relative(back(denoise, invert(denoise, images, schedule), schedule), images)
        for invert in (invert_uni_inv, invert_ddim)
    )
    assert ours < 0.75 * ddim


def test_it_converges_to_the_flow_of_the_ode(images, gaussian):
    """First order, as DDIM: twice the steps, half the error of the noise."""
    denoise = gaussian(0.3, 0.8, flow=True)
    errors = []
    for schedule in map(shifted, (200, 400)):
        path = denoise.path(images, schedule, 0)
        errors.append(relative(invert_uni_inv(denoise, images, schedule)[0], path))
    assert errors[0] < 0.02
    assert errors[0] / errors[1] == pytest.approx(2, rel=0.15)


def test_one_evaluation_a_step_at_its_noisier_level(images, gaussian):
    schedule, denoise = shifted(5), gaussian(0.3, 0.8, flow=True)
    seen = []
    trajectory = invert_uni_inv(denoise, images, schedule, on_step=lambda *about: seen.append(about[:2]))
    assert denoise.calls == [[sigma] * 2 for sigma in reversed(schedule.sigmas[:-1])]
    assert seen == [(i, 5) for i in range(5)]
    assert torch.equal(trajectory[-1], images)


def test_a_straight_flow_is_inverted_in_one_step(images):
    noise = images.flip(0)
    schedule = Schedule((1.0, 0.4, 0.0), flow=True, finest=0.001)
    image = 0.999 * images + 0.001 * noise
    trajectory = invert_uni_inv(lambda x, sigma: x - sigma.view(-1, 1, 1, 1) * (noise - images), image, schedule)
    torch.testing.assert_close(trajectory[0], noise)


def test_the_regularizer_sees_the_noise_of_every_step(images, gaussian):
    """As in DDIM: what it gives back is the noise that the step is made with."""
    schedule, denoise = shifted(4), gaussian(0.3, 0.8, flow=True)
    seen = []

    def regularizer(eps):
        seen.append(eps)
        return eps + 0.1

    plain, moved = (
        invert_uni_inv(denoise, images, schedule, regularizer=one)[-2] for one in (None, regularizer)
    )  # fmt: skip
    assert len(seen) == 4
    length = schedule.pair(3)[1] - schedule.pair(4)[1]
    torch.testing.assert_close(moved, plain + 0.1 * length)


def test_other_models_and_open_ends_are_refused(images, gaussian, leading_schedule):
    with pytest.raises(ValueError, match="Set solver to auto or ddim"):
        invert_uni_inv(gaussian(0.0, 1.0), images, leading_schedule(4))
    with pytest.raises(ValueError, match="connect SIGMAS that end at 0"):
        invert_uni_inv(gaussian(0.0, 1.0, flow=True), images, Schedule((1.0, 0.5), flow=True, finest=0.001))
