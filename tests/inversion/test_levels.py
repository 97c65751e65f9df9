"""An inverted image at any noise level: as recorded, or made for a level that was not."""

from __future__ import annotations

import dataclasses

import pytest
import torch
from appearance_transfer.inversion.ddim import invert_ddim
from appearance_transfer.inversion.ddpm import invert_ddpm
from appearance_transfer.inversion.levels import latent_at, level_noise
from appearance_transfer.inversion.schedule import Schedule
from appearance_transfer.inversion.types import Inversion


@pytest.fixture
def drawn(gaussian, make_schedule):
    """A DDPM inversion of two large flat images, so that noise can be measured on them."""
    schedule = make_schedule(12)
    x0 = torch.tensor([0.5, -1.0]).view(2, 1, 1, 1).expand(2, 4, 96, 96)
    trajectory, maps = invert_ddpm(gaussian(0.0, 1.0, schedule.flow), x0, schedule, seed=3)
    return Inversion(trajectory, maps, schedule, eta=1.0, guidance=1.0, seed=3, method="ddpm")


def between(schedule) -> list[float]:
    """Levels that are not recorded, up to the noisiest that the model knows."""
    pairs = zip(schedule.sigmas[:-1], schedule.sigmas[1:], strict=True)
    return [0.6 * a + 0.4 * b for a, b in pairs] + ([] if schedule.flow else [1.7 * schedule.sigmas[0]])


def test_recorded_levels_are_as_recorded(drawn) -> None:
    for i, sigma in enumerate(drawn.schedule.sigmas):
        for rounded in (sigma, float(torch.tensor(sigma)), sigma * 1.0005):
            assert torch.equal(latent_at(drawn, rounded), drawn.trajectory[i])


def test_other_levels_hold_the_image_and_their_noise(drawn) -> None:
    """Mean a*x0 and standard deviation b for x = a*x0 + b*eps; of 36864 values 2 % and 0.03 are five sigma."""
    clean = torch.tensor([0.5, -1.0])
    for sigma in between(drawn.schedule):
        x = latent_at(drawn, sigma)
        a, b = drawn.schedule.mix(sigma)
        torch.testing.assert_close(x.std((1, 2, 3)), torch.full((2,), b), rtol=0.02, atol=0)
        if drawn.schedule.ends_at_image:
            torch.testing.assert_close(x.mean((1, 2, 3)), a * clean, rtol=0, atol=0.03 * b)


def test_a_noised_image_is_as_its_inversion_at_every_level(drawn) -> None:
    noised = dataclasses.replace(drawn, noise_maps=torch.zeros(0), eta=0.0, method="noised")
    for sigma in (*drawn.schedule.sigmas, *between(drawn.schedule)):
        assert torch.equal(latent_at(noised, sigma), latent_at(drawn, sigma))


def test_a_level_has_one_draw(drawn) -> None:
    """Asked again, asked of one of the images, and asked after rounding: the same; elsewhere or by seed: another."""
    one, other = between(drawn.schedule)[:2]
    x = latent_at(drawn, one)
    assert torch.equal(latent_at(drawn, one), x)
    assert torch.equal(latent_at(drawn.image(1), one), x[1:])
    shape = (4, 32, 32)
    noise = level_noise(3, one, shape)
    for seed, sigma in ((3, other), (4, one)):
        mixed = torch.stack([noise, level_noise(seed, sigma, shape)]).flatten(1)
        assert torch.corrcoef(mixed)[0, 1].abs() < 0.1
    level = 1.23
    assert torch.equal(level_noise(3, level, shape), level_noise(3, float(torch.tensor(level)), shape))


def test_below_the_end_of_a_run_is_its_end(gaussian) -> None:
    schedule = Schedule((10.0, 3.0, 0.5))
    trajectory, maps = invert_ddpm(gaussian(0.0, 1.0), torch.ones(1, 4, 8, 8), schedule)
    stopped = Inversion(trajectory, maps, schedule, eta=1.0, guidance=1.0, seed=0, method="ddpm")
    assert torch.equal(latent_at(stopped, 0.1), trajectory[-1])


@pytest.mark.parametrize("flow", [False, True])
def test_a_ddim_path_goes_on(gaussian, images, flow) -> None:
    """Between its levels it lies between them, and above the first it keeps the noise that it has there."""
    schedule = Schedule((0.9, 0.7, 0.4, 0.1, 0.0), flow=flow)
    trajectory = invert_ddim(gaussian(0.2, 0.7, flow), images, schedule)
    inversion = Inversion(trajectory, torch.zeros(0), schedule, eta=0.0, guidance=1.0, seed=0, method="ddim")
    torch.testing.assert_close(latent_at(inversion, 0.55), ((trajectory[1] + trajectory[2]) / 2).float())
    a, b = schedule.mix(0.95)
    a_first, b_first = schedule.mix(0.9)
    noise = (trajectory[0] - a_first * images) / b_first
    torch.testing.assert_close(latent_at(inversion, 0.95), (a * images + b * noise).float())


def test_flow_mixes_image_and_noise(drawn) -> None:
    flow = dataclasses.replace(drawn.schedule, flow=True, sigmas=(1.0, 0.5, 0.0))
    assert flow.mix(0.25) == (0.75, 0.25)
    assert dataclasses.replace(flow, flow=False).mix(0.25) == (1.0, 0.25)
