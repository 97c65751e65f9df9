"""Edit-friendly inversion: closed forms, exact replay, and the official noise draw. Float64 unless said, torch 2.11."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.inversion.ddpm import draw_noise, invert_ddpm
from appearance_transfer.inversion.replay import replay
from appearance_transfer.inversion.step import step_coefficients
from appearance_transfer.tests.golden.reference import golden

EXACT = {"rtol": 1e-9, "atol": 1e-9}


def churned(x, sigma):
    """A denoiser that is nobody's optimum: nonlinear, mixing pixels, different at every level."""
    return torch.tanh(x.roll(1, dims=-1) - 0.3 * x) / (1 + sigma.view(-1, 1, 1, 1))


def test_levels_are_the_image_with_independent_noise(make_schedule, images, gaussian):
    schedule = make_schedule(6)
    trajectory, _ = invert_ddpm(gaussian(0, 1, schedule.flow), images, schedule, seed=3)
    noise = draw_noise(images, schedule, seed=3)
    assert trajectory.shape == (7, *images.shape)
    for i in range(len(noise)):
        a, b = schedule.pair(i)
        torch.testing.assert_close(trajectory[i], a * images + b * noise[i].double(), **EXACT)
    assert torch.equal(trajectory[-1], images) is schedule.ends_at_image
    assert len(noise) == (6 if schedule.ends_at_image else 7)


def test_noise_maps_in_closed_form(make_schedule, images):
    """A denoiser that knows the image leaves z = (b' n' - direction n) / noise, for the drawn noises n and n'."""
    schedule = make_schedule(6)
    trajectory, noise_maps = invert_ddpm(lambda x, sigma: images, images, schedule, eta=0.7, keep_last_noise=True)
    for i in range(schedule.steps):
        (a, b), (a_next, b_next) = schedule.pair(i), schedule.pair(i + 1)
        _, direction, noise = step_coefficients(schedule, i, 0.7)
        n, n_next = (trajectory[i] - a * images) / b, (trajectory[i + 1] - a_next * images) / b_next
        torch.testing.assert_close(noise_maps[i], (b_next * n_next - direction * n) / noise, **EXACT)


@pytest.mark.parametrize("eta", [1.0, 0.3])
@pytest.mark.parametrize("model", ["gaussian", "churned"])
def test_replay_visits_every_level_and_returns_the_image(make_schedule, images, gaussian, eta, model):
    schedule = make_schedule(8)
    denoise = gaussian(0.3, 0.8, schedule.flow) if model == "gaussian" else churned
    trajectory, noise_maps = invert_ddpm(denoise, images, schedule, eta=eta, keep_last_noise=True)
    seen = []
    final = replay(denoise, trajectory[0], schedule, noise_maps, eta, after_step=lambda x, i: seen.append(x) or x)
    torch.testing.assert_close(torch.stack(seen), trajectory[1:], **EXACT)
    assert torch.equal(final, seen[-1])


def test_replay_in_fp32_is_exact_to_1e4(leading_schedule, images, gaussian):
    """Relative error of every level below 1e-4 in fp32, K = 100 without its first 32 steps."""
    schedule = leading_schedule(100).tail(32)
    denoise = gaussian(0.3, 0.8)
    trajectory, noise_maps = invert_ddpm(denoise, images.float(), schedule)
    seen = []
    replay(denoise, trajectory[0], schedule, noise_maps, 1.0, after_step=lambda x, i: seen.append(x) or x)
    for x, recorded in zip(seen[:-1], trajectory[1:-1], strict=True):
        assert (x - recorded).norm() / recorded.norm() < 1e-4


def test_the_last_noise_map_is_what_the_image_lacks(leading_schedule, images, gaussian):
    """Without its last noise map the image is off by sqrt(var) * z_last, and by nothing else."""
    schedule = leading_schedule(100).tail(32)
    denoise = gaussian(0.3, 0.8)
    trajectory, kept = invert_ddpm(denoise, images, schedule, keep_last_noise=True)
    _, zeroed = invert_ddpm(denoise, images, schedule)
    assert torch.equal(zeroed[:-1], kept[:-1])
    assert not zeroed[-1].any()
    final = replay(denoise, trajectory[0], schedule, zeroed, 1.0)
    _, _, noise = step_coefficients(schedule, schedule.steps - 1, 1.0)
    assert noise == pytest.approx(0.020648, abs=1e-6)
    torch.testing.assert_close(images - final, noise * kept[-1], **EXACT)


def test_a_run_that_stops_on_the_way_keeps_its_last_noise_map(images, gaussian, make_schedule):
    schedule = make_schedule(5)
    _, noise_maps = invert_ddpm(gaussian(0, 1, schedule.flow), images, schedule)
    assert bool(noise_maps[-1].any()) is not schedule.ends_at_image


@pytest.mark.parametrize("levels_per_call", [2, 5, 7, 100])
def test_levels_may_share_a_call(make_schedule, images, gaussian, levels_per_call):
    schedule = make_schedule(7)
    one, several = gaussian(0.3, 0.8, schedule.flow), gaussian(0.3, 0.8, schedule.flow)
    expected = invert_ddpm(one, images, schedule)
    found = invert_ddpm(several, images, schedule, levels_per_call=levels_per_call)
    for a, b in zip(expected, found, strict=True):
        torch.testing.assert_close(a, b, rtol=1e-12, atol=1e-12)
    assert len(one.calls) == 7
    assert len(several.calls) == math.ceil(7 / levels_per_call)
    every = [pytest.approx(sigma) for sigma in schedule.sigmas[:-1] for _ in images]
    assert [s for call in one.calls for s in call] == every
    assert [s for call in several.calls for s in call] == every


def test_progress_is_told_once_per_step(images, gaussian, leading_schedule):
    reported = []
    invert_ddpm(
        gaussian(0, 1),
        images,
        leading_schedule(5),
        levels_per_call=2,
        on_step=lambda i, total, denoised: reported.append((i, total, denoised.shape)),
    )
    assert reported == [(i, 5, images.shape) for i in range(5)]


def test_noise_of_a_shorter_run_is_that_of_the_longer(images, leading_schedule):
    full = leading_schedule(20)
    one = images[:1]
    assert torch.equal(draw_noise(one, full, seed=5)[6:], draw_noise(one, full.tail(6), seed=5))
    assert not torch.equal(draw_noise(one, full, seed=5), draw_noise(one, full, seed=6))


def test_images_follow_each_other_in_one_draw(images, leading_schedule):
    schedule = leading_schedule(4)
    both = draw_noise(images, schedule, generator=torch.Generator().manual_seed(9))
    generator = torch.Generator().manual_seed(9)
    for image in range(2):
        alone = draw_noise(images[image : image + 1], schedule, generator=generator)
        assert torch.equal(both[:, image], alone[:, 0])


def test_drawn_levels_are_the_official_ones(leading_schedule):
    """fp32, torch 2.11 against 2.13: bit-identical noise; levels to 1e-5 (the official abar is a product in fp32)."""
    schedule = leading_schedule(100)
    x0 = golden("inversion", "x0_app")
    seed = int(golden("inversion", "noise_seed_app"))
    trajectory, _ = invert_ddpm(lambda x, sigma: x, x0, schedule, seed=seed, levels_per_call=20)
    assert golden("inversion", "timesteps").tolist()[0] == 991
    for k, reference in enumerate(golden("inversion", "xts_app_first3")):
        x_t = trajectory[k, 0] / math.hypot(*schedule.pair(k))
        torch.testing.assert_close(x_t, reference, atol=1e-5, rtol=0)


def test_drawn_levels_of_a_run_without_its_first_steps_are_the_official_ones(leading_schedule):
    schedule = leading_schedule(100).tail(32)
    reference = golden("inversion", "xts_app_from32")
    seed = int(golden("inversion", "noise_seed_app"))
    trajectory, _ = invert_ddpm(lambda x, sigma: x, golden("inversion", "x0_app"), schedule, seed=seed)
    norms = torch.tensor([math.hypot(*schedule.pair(i)) for i in range(69)]).view(-1, 1, 1, 1)
    torch.testing.assert_close(trajectory[:, 0] / norms, reference, atol=1e-5, rtol=0)


def test_given_noise_is_used(images, gaussian, leading_schedule):
    schedule = leading_schedule(4)
    noise = torch.randn(4, *images.shape, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    trajectory, _ = invert_ddpm(gaussian(0, 1), images, schedule, noise=noise)
    torch.testing.assert_close(trajectory[2], images + schedule.sigmas[2] * noise[2], **EXACT)
    with pytest.raises(ValueError, match="shape"):
        invert_ddpm(gaussian(0, 1), images, schedule, noise=noise[1:])


@pytest.mark.parametrize(
    ("options", "sentence"), [({"eta": 0.0}, "eta"), ({"eta": 1.5}, "eta"), ({"levels_per_call": 0}, "levels")]
)
def test_what_cannot_be_inverted_is_refused(images, gaussian, leading_schedule, options, sentence):
    denoise = gaussian(0, 1)
    with pytest.raises(ValueError, match=sentence):
        invert_ddpm(denoise, images, leading_schedule(4), **options)
    assert not denoise.calls


def test_replay_needs_a_noise_map_per_step(images, gaussian, leading_schedule):
    with pytest.raises(ValueError, match="4 steps"):
        replay(gaussian(0, 1), images, leading_schedule(4), torch.zeros(5, *images.shape), 1.0)


def test_replay_is_bent_between_its_steps(images, gaussian, leading_schedule):
    """What after_step returns is what the next step starts from, and what comes out at the end."""
    schedule, seen = leading_schedule(3), []

    def denoise(x, sigma):
        seen.append(x)
        return x

    reported = []
    final = replay(
        denoise,
        images,
        schedule,
        None,
        0.0,
        after_step=lambda x, i: torch.full_like(x, i),
        on_step=lambda i, total, denoised: reported.append((i, total)),
    )
    assert [x.unique().tolist() for x in seen[1:]] == [[0.0], [1.0]]
    assert final.unique().tolist() == [2.0]
    assert reported == [(0, 3), (1, 3), (2, 3)]
