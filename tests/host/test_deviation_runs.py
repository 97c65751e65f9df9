"""Latent Deviation in runs: batches, noise maps, null text, interrupts, and what it refuses."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.deviating import ENSEMBLE, FIRST, LAST, STEPS, deviating, identity, invert, sample


@pytest.fixture(scope="module")
def structure(model):
    return invert(model, world.latents(1))


@pytest.fixture(scope="module")
def appearance(model):
    return invert(model, world.latents(2), positive=3)


def test_a_batch_is_its_images(model) -> None:
    """Two structures and one appearance, or two of each; relative 1e-3 (sums in another order)."""
    both = invert(model, world.latents(1, 2))
    appearances = invert(model, world.latents(2, 2), positive=3)
    masks = torch.zeros(2, 16, 16)
    masks[0, :8] = 1
    masks[1, :, :12] = 1
    for shared in (True, False):
        appearance = appearances.image(0) if shared else appearances
        together = sample(model, both, appearance, matching="initial", mask=masks)
        for row in range(2):
            own = appearance if shared else appearances.image(row)
            alone = sample(model, both.image(row), own, matching="initial", mask=masks[row : row + 1])
            assert world.relative(together[row : row + 1], alone) < 1e-3


def test_noise_maps_are_replayed_too(model) -> None:
    """A DDPM inversion: outside the mask of the last step, the image comes out as it went in."""
    structure, appearance = world.invert(model, world.latents(1)), world.invert(model, world.latents(2))
    last = structure.steps - 1
    mask = torch.zeros(1, 16, 16)
    mask[..., 8:] = 1
    sampler = deviating(structure, appearance, window=(last, last), mask=mask)
    out = world.sample(model, structure, sampler=sampler)
    assert world.relative(out[..., :8], world.latents(1)[..., :8]) < 0.05
    assert world.relative(out[..., 8:], world.latents(1)[..., 8:]) > 0.2


def test_under_null_text_the_deviated_latent_has_its_steps_embedding(model, structure, appearance) -> None:
    """Spec A6: the window's steps are evaluated twice, both times with the embedding of the step."""
    from dataclasses import replace

    from appearance_transfer.host.inversion.null_text_guider import NullTextGuider

    null_text = torch.randn(STEPS, 1, 77, 16, generator=torch.Generator().manual_seed(6))
    inverted = replace(structure, null_text=null_text, null_text_losses=torch.zeros(STEPS, 1, 1))
    asked = []

    class Listening(NullTextGuider):
        def embedding_at(self, sigma):
            asked.append(structure.schedule.index_of(sigma))
            return super().embedding_at(sigma)

    guider = Listening(model, world.prompt(1), inverted, 4.0)
    out = world.sample(model, inverted, guider=guider, sampler=deviating(inverted, appearance))
    assert asked == [0, 1, 2, 2, 3, 3, 4, 4, 5, 6, 7]
    assert world.relative(out, sample(model, structure, appearance, cfg=4.0)) > 0.01


def test_an_interrupted_run_leaves_nothing_behind(model, structure, appearance) -> None:
    import comfy.model_management

    sampler = deviating(structure, appearance, matching="initial")
    before = dict(vars(sampler))

    def interrupt(about):
        if structure.schedule.index_of(float(about["sigma"].max())) == FIRST + 1:
            raise comfy.model_management.InterruptProcessingException
        return about["denoised"]

    clone = model.clone()
    clone.set_model_sampler_post_cfg_function(interrupt)
    with pytest.raises(comfy.model_management.InterruptProcessingException):
        world.sample(clone, structure, sampler=sampler)
    assert vars(sampler) == before
    fresh = deviating(structure, appearance, matching="initial")
    assert torch.equal(world.sample(model, structure, sampler=sampler), world.sample(model, structure, sampler=fresh))


def test_inversions_that_do_not_fit_are_refused_at_once(model, structure) -> None:
    narrow = invert(model, world.latents(2)[..., :8])
    with pytest.raises(ValueError, match="inversions are 8x16 and 16x16 .* Set matching to progressive"):
        deviating(structure, narrow, matching="none")
    with pytest.raises(ValueError, match="use one reference image for all outputs"):
        deviating(structure, invert(model, world.latents(2, 2)))


@pytest.mark.parametrize("matching", ["progressive", "initial"])
def test_an_appearance_of_another_size_and_other_steps(model, structure, matching) -> None:
    narrow = invert(model, world.latents(2)[..., :8], steps=5)
    out = sample(model, structure, narrow, matching=matching)
    assert out.shape == (1, *world.SIZE)
    assert torch.isfinite(out).all()
    assert world.relative(out, world.sample(model, structure)) > 1e-2


def test_masks_of_other_images_are_refused_at_once(structure, appearance) -> None:
    with pytest.raises(ValueError, match="Connect one mask for all, or one for each"):
        deviating(structure, appearance, mask=torch.ones(2, 16, 16))
    with pytest.raises(ValueError, match="The appearance mask is empty"):
        deviating(structure, appearance, appearance_mask=torch.zeros(1, 16, 16))


def test_what_does_not_fit_the_run_is_refused_before_the_first_step(model, structure, appearance) -> None:
    clone = model.clone()
    counter = world.count_evaluations(clone)
    with pytest.raises(ValueError, match="Match as many images as are sampled"):
        sample(clone, structure, appearance, correspondence=identity(images=2))
    assert counter.samples == 0
    other = world.small_model(prediction="V_PREDICTION")
    with pytest.raises(ValueError, match="made with another kind of model"):
        sample(model, structure, invert(other, world.latents(2)))


def test_the_node_makes_this_sampler(host, model, structure, appearance) -> None:
    node = host.nodes["AppearanceTransfer_LatentDeviation"]
    within = world.window(FIRST, LAST, sigmas=structure.schedule.sigmas)
    sampler = node.execute(
        structure, appearance, "initial", 0.6, start_percent=within.start_percent, end_percent=within.end_percent,
        keep_latent=0.2, keep_noise=0.2, timestep=261, up_block=1, ensemble=ENSEMBLE, seed=42,
    ).args[0]  # fmt: skip
    expected = sample(model, structure, appearance, matching="initial")
    guider = world.stock_guider(model, negative=world.prompt(2))
    assert torch.equal(world.sample(model, structure, guider=guider, sampler=sampler), expected)
