"""Null-text optimization of denoisers that are known in closed form."""

from __future__ import annotations

import math

import pytest
import torch
from appearance_transfer.inversion.ddim import invert_ddim
from appearance_transfer.inversion.loss_curve import before_and_after, draw_losses, losses_in_words
from appearance_transfer.inversion.null_text import NullTextSettings, check_null_text, null_text_steps
from appearance_transfer.inversion.step import step

EMPTY = torch.zeros(1, 3, 4, dtype=torch.float64)


class Prompted:
    """The exact denoiser of two kinds of images: with the text, and, further off in mean, without.

    The unconditional mean moves with the mean of the embedding, so that an embedding exists which undoes guidance.
    """

    def __init__(self, gaussian, flow=False):
        self.text = gaussian(mean=0.3, spread=0.8, flow=flow)
        self.empty = gaussian(mean=0.2, spread=0.8, flow=flow)
        self.unconditional_calls = 0

    def conditional(self, x, sigma):
        return self.text(x, sigma)

    def unconditional(self, x, sigma, embedding):
        self.unconditional_calls += 1
        return self.empty(x, sigma) + embedding.mean(dim=(1, 2))[:, None, None, None]


def sampled(prompted, x, schedule, embeddings, guidance):
    """Guided DDIM sampling under one embedding per step."""
    for i in range(schedule.steps):
        sigma = x.new_full((len(x),), schedule.sigmas[i])
        away = prompted.unconditional(x, sigma, embeddings[i])
        denoised = away + guidance * (prompted.conditional(x, sigma) - away)
        x = step(x, denoised, None, schedule, i, eta=0.0)
    return x


def optimize(prompted, trajectory, schedule, settings, **options):
    steps = list(
        null_text_steps(prompted.conditional, prompted.unconditional, trajectory, schedule, EMPTY, settings, **options)
    )
    return torch.stack([found.embedding for found in steps]), torch.stack([found.losses for found in steps])


@pytest.fixture
def prompted(gaussian):
    return Prompted(gaussian)


@pytest.fixture
def schedule(leading_schedule):
    return leading_schedule(20)


@pytest.fixture
def trajectory(prompted, images, schedule):
    return invert_ddim(prompted.conditional, images, schedule)


def error(prompted, trajectory, schedule, embeddings, guidance=7.5) -> float:
    came_back = sampled(prompted, trajectory[0], schedule, embeddings, guidance)
    return float((came_back - trajectory[-1]).abs().mean())


def test_guided_sampling_comes_back_to_the_image(prompted, trajectory, schedule) -> None:
    start = EMPTY.expand(schedule.steps, 2, -1, -1)
    embeddings, losses = optimize(prompted, trajectory, schedule, NullTextSettings(updates=40, early_stop=0.0))
    assert embeddings.shape == (20, 2, 3, 4)
    assert losses.shape == (20, 2, 40)
    before, after = (error(prompted, trajectory, schedule, found) for found in (start, embeddings))
    assert after < 0.1 * before


def test_the_first_update_is_a_step_of_adam_against_the_gradient(gaussian, make_schedule, images) -> None:
    """Loss and gradient in closed form, those of x_t = x / hypot(a, b), image by image."""
    schedule, guidance, rate = make_schedule(5), 3.0, 1e-3
    prompted = Prompted(gaussian, flow=schedule.flow)
    trajectory = images.expand(6, -1, -1, -1, -1)
    settings = NullTextSettings(guidance=guidance, updates=1, learning_rate=rate)
    embeddings, losses = optimize(prompted, trajectory, schedule, settings)

    x, sigma = images, images.new_full((2,), schedule.sigmas[0])
    away = prompted.empty(x, sigma)
    denoised = away + guidance * (prompted.text(x, sigma) - away)
    scale = math.hypot(*schedule.pair(1))
    off = ((step(x, denoised, None, schedule, 0, eta=0.0) - x) / scale).flatten(1)
    per_unit = step(x * 0, x * 0 + 1 - guidance, None, schedule, 0, eta=0.0).flatten()[0] / scale
    gradient = 2 * off.mean(1) * per_unit / EMPTY.numel()
    moved = -rate * gradient / (gradient.abs() + 1e-8)
    assert torch.allclose(losses[0, :, 0].double(), off.square().mean(1), rtol=1e-5)
    assert torch.allclose(embeddings[0], moved[:, None, None].expand(2, 3, 4), rtol=1e-6)


def test_rates_and_thresholds_of_the_released_code() -> None:
    settings = NullTextSettings()
    assert [settings.rate(i) for i in (0, 49)] == pytest.approx([0.01, 0.0051])
    assert [settings.threshold(i) for i in (0, 49)] == pytest.approx([1e-5, 99e-5])
    assert (settings.guidance, settings.updates) == (7.5, 10)


def test_a_step_stops_after_the_update_that_began_below_the_threshold(prompted, trajectory, schedule) -> None:
    _, losses = optimize(prompted, trajectory, schedule, NullTextSettings(early_stop=1e-3))
    settings = NullTextSettings(early_stop=1e-3)
    stopped = 0
    for i, images in enumerate(losses):
        for values in images:
            recorded = values[~values.isnan()]
            assert len(recorded) >= 1
            assert bool((recorded[:-1] >= settings.threshold(i)).all())
            assert len(recorded) == 10 or recorded[-1] < settings.threshold(i)
            stopped += len(recorded) < 10
    assert stopped


def test_every_image_is_optimized_as_if_alone(prompted, trajectory, schedule) -> None:
    settings = NullTextSettings(early_stop=1e-3)
    together, losses = optimize(prompted, trajectory, schedule, settings)
    for image in range(2):
        rows = slice(image, image + 1)
        alone, own_losses = optimize(prompted, trajectory[:, rows], schedule, settings)
        assert torch.allclose(alone, together[:, rows], rtol=0, atol=1e-12)
        assert torch.allclose(own_losses, losses[:, rows], equal_nan=True)


def test_an_interrupted_optimization_goes_on_where_it_was(prompted, trajectory, schedule) -> None:
    settings = NullTextSettings(updates=4)
    whole, losses = optimize(prompted, trajectory, schedule, settings)
    rest, rest_losses = optimize(prompted, trajectory, schedule, settings, found=whole[:13])
    assert torch.equal(rest, whole[13:])
    assert torch.equal(rest_losses.nan_to_num(), losses[13:].nan_to_num())


def test_steps_are_handed_out_as_soon_as_they_are_found(prompted, trajectory, schedule) -> None:
    settings = NullTextSettings(updates=2, early_stop=0.0)
    steps = null_text_steps(prompted.conditional, prompted.unconditional, trajectory, schedule, EMPTY, settings)
    next(steps)
    assert prompted.unconditional_calls == 2 + 1


def test_no_graph_is_kept(prompted, trajectory, schedule) -> None:
    for found in null_text_steps(
        prompted.conditional, prompted.unconditional, trajectory, schedule, EMPTY, NullTextSettings(updates=1)
    ):
        assert not (found.embedding.requires_grad or found.losses.requires_grad or found.denoised.requires_grad)


def test_a_loss_that_is_not_a_number_is_told(prompted, trajectory, schedule) -> None:
    trajectory[3] = torch.nan
    with pytest.raises(ValueError, match="null-text step 2 is not a number"):
        optimize(prompted, trajectory, schedule, NullTextSettings(updates=1))


@pytest.mark.parametrize(
    ("steps", "settings", "sentence"),
    [
        (101, NullTextSettings(), "101 steps; use 100 or fewer"),
        (20, NullTextSettings(updates=0), "at least one update"),
        (20, NullTextSettings(guidance=1.0), "guidance other than 1"),
        (20, NullTextSettings(guidance=math.nan), "guidance other than 1"),
    ],
)
def test_settings_that_cannot_be_optimized(leading_schedule, steps, settings, sentence) -> None:
    with pytest.raises(ValueError, match=sentence):
        check_null_text(leading_schedule(steps), settings)


class TestLossCurve:
    LOSSES = torch.tensor([[[0.4, 0.2, torch.nan]], [[0.1, 0.01, 0.001]]])

    def test_first_and_last_loss_of_every_step(self) -> None:
        first, last = before_and_after(self.LOSSES)
        assert first.tolist() == pytest.approx([0.4, 0.1])
        assert last.tolist() == pytest.approx([0.2, 0.001])

    def test_in_words(self) -> None:
        assert losses_in_words(self.LOSSES) == [
            "step 0: loss 0.4 -> 0.2 in 2",
            "step 1: loss 0.1 -> 0.001 in 3",
        ]

    @pytest.mark.parametrize("losses", [LOSSES, LOSSES[:1], torch.zeros(1, 2, 1), LOSSES.expand(-1, 3, -1)])
    def test_drawn(self, losses) -> None:
        image = draw_losses(losses)
        assert image.shape == (1, 432, 768, 3)
        assert 0 <= float(image.min()) < 0.5 < float(image.max()) <= 1

    def test_a_lower_loss_is_drawn_lower(self) -> None:
        """The darkest positions of the curves lie lower, the grid being the same."""
        losses = torch.tensor([[[0.9, 0.5]], [[0.9, 0.5]]])
        lower = torch.tensor([[[0.9, 0.15]], [[0.9, 0.15]]])
        blue = [(draw_losses(found)[0, 40:-30] - torch.tensor([0.043, 0.431, 0.6])).abs().sum(-1) < 0.05
                for found in (losses, lower)]  # fmt: skip
        rows = [float(mask.nonzero()[:, 0].float().mean()) for mask in blue]
        assert rows[1] > rows[0] + 50
