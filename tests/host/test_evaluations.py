"""What a transfer costs at the defaults and in the paper, counted at the network, and what `every` saves."""

import pytest
import torch
from appearance_transfer.inversion.defaults import (
    INVERSION_CFG,
    PAPER_CFG,
    PAPER_START_AT,
    PAPER_STEPS,
    START_AT,
    STEPS,
)
from appearance_transfer.tests.host import small_world as world


def guider_of(model, **settings):
    from appearance_transfer.host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings

    return AppearanceGuider(model, world.prompt(1), None, GuidanceSettings(**settings))


def transferred(model, structure, appearance, **settings):
    from appearance_transfer.host.transfer.cross_image_attention import (
        Appearance,
        CrossImageSettings,
        transfer_appearance,
    )

    return transfer_appearance(model, [Appearance(appearance)], structure, CrossImageSettings(**settings))


@pytest.mark.parametrize(
    ("steps", "start_at", "cfg", "every", "inverting", "all_in_all"),
    [
        (STEPS, START_AT, INVERSION_CFG, 2, 14, 46),
        (10, 3, INVERSION_CFG, 2, 7, 23),
        (PAPER_STEPS, PAPER_START_AT, PAPER_CFG, 1, 136, 318),  # 68 + 57 unpatched + 57 references besides, of 808
    ],
)
def test_evaluations_are_those_we_commit_to(host, steps, start_at, cfg, every, inverting, all_in_all) -> None:
    """An appearance is noised, which takes none."""
    from appearance_transfer.host.inversion.reference import noised_reference
    from appearance_transfer.host.models.schedules import schedule_of

    model = world.small_model()
    counter = world.count_evaluations(model)
    schedule = schedule_of(model, steps=steps, start_at=start_at)
    small, other = (world.latents(seed)[..., :8, :8] for seed in (1, 2))
    settings = {"guidance": cfg, "keep_last_noise": False, "levels_per_forward": 4}
    structure = world.invert(model, small, schedule=schedule, **settings)
    assert counter.samples == inverting
    appearance = noised_reference(model, other, world.prompt(1), world.prompt(2), schedule)
    assert counter.samples == inverting
    patched = transferred(model, structure, appearance)
    world.sample(patched, structure, guider=guider_of(patched, every=every))
    assert counter.samples == all_in_all


class TestEvery:
    """The unpatched pass on some of the guided steps only."""

    @pytest.fixture
    def patched(self, model, structure, appearance):
        return transferred(model, structure, appearance, window=world.window(1), structure_share=0.0)

    @pytest.mark.parametrize("every", [1, 2, 3, 100])
    def test_it_runs_on_every_nth_guided_step(self, patched, structure, every) -> None:
        counter = world.count_evaluations(patched)
        world.sample(patched, structure, guider=guider_of(patched, every=every, window=world.window(1)))
        guided = structure.steps - 1
        assert counter.samples == structure.steps + guided + -(-guided // every)

    def test_between_them_the_last_difference_serves(self, patched, structure) -> None:
        """Against the two predictions of each step, put together by hand."""
        guider = guider_of(patched, scale=2.0, end_scale=2.0, every=2, window=world.window(1))
        seen = []
        whole = guider.predict_noise

        def predict(x, timestep, *args, **kwargs):
            seen.append((x.clone(), timestep.clone(), whole(x, timestep, *args, **kwargs)))
            return seen[-1][-1]

        guider.predict_noise = predict
        world.sample(patched, structure, guider=guider)
        assert guider._difference is None
        alone = guider_of(patched, scale=1.0, end_scale=1.0)
        each = guider_of(patched, scale=2.0, end_scale=2.0, every=1, window=world.window(1))
        latents = [x for x, _, _ in seen]
        edited, guided = (predictions_at(one, structure, latents) for one in (alone, each))
        kept = None
        for step, (_, _, answer) in enumerate(seen):
            difference = guided[step] - edited[step]  # at scale 2 what transferred and unpatched differ by
            if step % 2 or kept is None:
                kept = difference
            assert world.relative(answer, edited[step] + kept) < 1e-5

    def test_the_second_run_is_the_first_again(self, patched, structure) -> None:
        guider = guider_of(patched, window=world.window(1))
        assert torch.equal(*(world.sample(patched, structure, guider=guider) for _ in range(2)))


def predictions_at(guider, structure, latents):
    """What a guider predicts at given latents, step by step."""
    answers = []
    whole = guider.predict_noise

    def predict(x, timestep, *args, **kwargs):
        answers.append(whole(latents[len(answers)], timestep, *args, **kwargs))
        return answers[-1]

    guider.predict_noise = predict
    world.sample(guider.model_patcher, structure, guider=guider)
    return answers
