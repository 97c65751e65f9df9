"""Latent Deviation as a SAMPLER: the paper's step on a real run, where it must change nothing, and what it refuses."""

import logging
import math

import pytest
import torch
from appearance_transfer.tests.host import small_world as world

STEPS = 8
FIRST, LAST = 2, 4
LOOKS = 2


@pytest.fixture(scope="module", params=["EPS", "V_PREDICTION"])
def either_model(host, request):
    return world.small_model(prediction=request.param)


def invert(model, latent, positive=1, steps=STEPS):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
    from appearance_transfer.host.models.schedules import schedule_of

    with torch.inference_mode():
        return invert_with_ddim(model, latent, world.prompt(positive), world.prompt(2), schedule_of(model, steps=steps))


@pytest.fixture(scope="module")
def structure(model):
    return invert(model, world.latents(1))


@pytest.fixture(scope="module")
def appearance(model):
    return invert(model, world.latents(2), positive=3)


def deviating(structure, appearance, *, mixing=(), window=(FIRST, LAST), matching="none", ensemble=LOOKS, **inputs):
    from appearance_transfer.correspondence.dift import DiftSettings
    from appearance_transfer.guidance.deviation import DeviationParams
    from appearance_transfer.host.transfer.latent_deviation import DeviationSampler, DeviationSettings

    dift = DiftSettings(ensemble=ensemble)
    within = world.window(*window, sigmas=structure.schedule.sigmas)
    return DeviationSampler(
        structure, appearance, DeviationSettings(DeviationParams(*mixing), within, matching, dift), **inputs
    )


def sample(model, structure, appearance, *, cfg=1.0, **options):
    guider = world.stock_guider(model, negative=world.prompt(2), cfg=cfg)
    return world.sample(model, structure, guider=guider, sampler=deviating(structure, appearance, **options))


def plain(model, structure, cfg=1.0):
    guider = world.stock_guider(model, negative=world.prompt(2), cfg=cfg)
    return world.sample(model, structure, guider=guider)


def warped_values(model, structure, appearance, step=FIRST, **options):
    """The appearance's x0 as laid over the structure: with delta 1, lambda 0 and gamma 1 it is the step's own x0."""
    from appearance_transfer.host.models.schedules import sigmas_tensor

    seen = []
    sampler = deviating(structure, appearance, mixing=(1.0, 0.0, 1.0), window=(step, step), **options)
    start = model.get_model_object("latent_format").process_out(structure.start)
    with torch.inference_mode():
        world.stock_guider(model).sample(
            torch.zeros_like(start), start, sampler, sigmas_tensor(structure.schedule), disable_pbar=True, seed=0,
            callback=lambda i, denoised, x, total: seen.append(denoised.clone()),
        )  # fmt: skip
    return seen[step]


def x0_of(model, inversion, step, conditioning):
    """ComfyUI's estimate of x0 at a recorded latent, under one text."""
    from appearance_transfer.host.runtime.model_runner import run_with_model

    sigma = inversion.schedule.sigmas[step]
    latent = model.get_model_object("latent_format").process_out(inversion.x0)
    with torch.inference_mode():
        return run_with_model(
            model, latent, lambda denoise, x0: denoise(inversion.trajectory[step].to(x0), sigma),
            positive=conditioning, negative=conditioning, guidance=1.0, sigmas=torch.tensor([sigma, 0.0]),
        )  # fmt: skip


def by_the_paper(model, structure, appearance, cfg, mask):
    """Spec 3.2 without matching, in the papers' scaling, eps found from x0: another road to the same image."""
    from appearance_transfer.host.runtime.model_runner import run_with_model

    delta, keep_latent, keep_noise = 0.6, 0.2, 0.2
    sigmas = structure.schedule.sigmas
    abars = [1 / (1 + sigma**2) for sigma in sigmas[:-1]] + [structure.schedule.pair(STEPS)[0] ** 2]
    offered = {i: x0_of(model, appearance, i, world.prompt(3)) for i in range(FIRST, LAST + 1)}

    def body(denoise, x0):
        def eps_at(z, i):
            return (z - math.sqrt(abars[i]) * denoise(z / math.sqrt(abars[i]), sigmas[i])) / math.sqrt(1 - abars[i])

        x = structure.start.to(x0) * math.sqrt(abars[0])
        for i in range(STEPS):
            a, b = math.sqrt(abars[i]), math.sqrt(1 - abars[i])
            eps = eps_at(x, i)
            if FIRST <= i <= LAST:
                clean = (x - b * eps) / a
                moved = mask * ((1 - delta) * clean + delta * offered[i]) + (1 - mask) * clean
                deviated = a * moved + b * eps
                x = keep_latent * x + (1 - keep_latent) * deviated
                eps = keep_noise * eps + (1 - keep_noise) * eps_at(deviated, i)
            x = math.sqrt(abars[i + 1]) * (x - b * eps) / a + math.sqrt(1 - abars[i + 1]) * eps
        return x / math.sqrt(abars[STEPS])

    latent_format = model.get_model_object("latent_format")
    with torch.inference_mode():
        x = run_with_model(
            model, latent_format.process_out(structure.x0), body, positive=world.prompt(1), negative=world.prompt(2),
            guidance=cfg, sigmas=torch.tensor(sigmas),
        )  # fmt: skip
    return latent_format.process_out(x) * math.sqrt(abars[STEPS])


@pytest.mark.parametrize("cfg", [1.0, 4.0])
def test_a_run_is_the_papers_loop(either_model, cfg) -> None:
    """Relative 1e-4 in fp32, for eps and v models, with a soft mask."""
    structure, appearance = invert(either_model, world.latents(1)), invert(either_model, world.latents(2), positive=3)
    mask = torch.rand(1, 16, 16, generator=torch.Generator().manual_seed(4))
    ours = sample(either_model, structure, appearance, cfg=cfg, mask=mask)
    expected = by_the_paper(either_model, structure, appearance, cfg, mask[:, None])
    assert world.relative(ours, expected) < 1e-4
    assert world.relative(ours, plain(either_model, structure, cfg)) > 0.02


OFF = {
    "delta": {"mixing": (0.0, 0.2, 0.2)},
    "lambda and gamma": {"mixing": (0.6, 1.0, 1.0)},
    "mask": {"mask": torch.zeros(1, 128, 128)},
    "window": {"window": (50, 60)},
}


@pytest.mark.parametrize("how", OFF)
def test_off_is_the_plain_replay_bit_by_bit_and_costs_nothing(model, structure, appearance, how, caplog) -> None:
    clone = model.clone()
    counter = world.count_evaluations(clone)
    with caplog.at_level(logging.WARNING):
        out = sample(clone, structure, appearance, matching="progressive", **OFF[how])
    assert torch.equal(out, plain(model, structure))
    assert counter.samples == STEPS
    assert "Latent Deviation has no effect" in caplog.text


def test_outside_the_mask_the_step_itself_is_the_plain_one(model, structure, appearance) -> None:
    """Bit by bit at the deviated step; later steps see the whole image."""
    mask = torch.zeros(1, 16, 16)
    mask[:, :, 8:] = 1
    half = warped_values(model, structure, appearance, mask=mask)
    own = warped_values(model, structure, appearance, mask=torch.zeros_like(mask))
    assert torch.equal(half[..., 8:], warped_values(model, structure, appearance)[..., 8:])
    assert torch.equal(half[..., :8], own[..., :8])


def test_the_appearance_is_seen_as_recorded_under_its_own_text(model, structure, appearance) -> None:
    warped = warped_values(model, structure, appearance)
    assert world.relative(warped, x0_of(model, appearance, FIRST, world.prompt(3))) < 1e-5
    assert world.relative(warped, x0_of(model, appearance, FIRST, world.prompt(1))) > 1e-3


def identity(images=1, grid=(16, 16)):
    from appearance_transfer.correspondence.correspondence import Correspondence

    positions = torch.arange(grid[0] * grid[1]).view(1, 1, *grid).expand(images, -1, -1, -1)
    ones = torch.ones(images, *grid)
    return Correspondence(positions, ones[:, None], ones, ones, grid, (128, 128), (128, 128))


def test_matches_can_be_wired_in(model, structure, appearance) -> None:
    """The identity is no matching at all, on any grid; a mirrored one mirrors what is carried."""
    from dataclasses import replace

    overlaid = warped_values(model, structure, appearance)
    for grid in ((16, 16), (8, 8)):
        matches = identity(grid=grid)
        wired = warped_values(model, structure, appearance, matching="progressive", correspondence=matches)
        assert torch.equal(wired, overlaid)
    mirrored = replace(identity(), index=identity().index.flip(-1))
    warped = warped_values(model, structure, appearance, correspondence=mirrored)
    assert world.relative(warped, overlaid.flip(-1)) < 1e-6  # D + (C - D), and each position has its own D


def test_where_nothing_matches_the_structure_stays(model, structure, appearance) -> None:
    from dataclasses import replace

    index = identity().index.clone()
    index[..., :8] = -1
    matches = replace(identity(), index=index, weight=(index >= 0).float())
    warped = warped_values(model, structure, appearance, correspondence=matches)
    overlaid = warped_values(model, structure, appearance)
    own = warped_values(model, structure, appearance, mask=torch.zeros(1, 16, 16))
    assert torch.equal(warped[..., 8:], overlaid[..., 8:])
    assert torch.equal(warped[..., :8], own[..., :8])


@pytest.mark.parametrize("matching", ["progressive", "initial"])
def test_a_image_matches_itself(model, structure, matching) -> None:
    """In a run, the same latents and noise, so every position finds itself, and its x0 lies where it
    was.
    """
    warped = warped_values(model, structure, structure, step=0, matching=matching)
    overlaid = warped_values(model, structure, structure, step=0)
    assert world.relative(warped, overlaid) < 1e-5


def test_the_appearance_mask_limits_what_is_carried(model, structure, appearance) -> None:
    """One position allowed: it is everywhere."""
    allowed = torch.zeros(1, 16, 16)
    allowed[0, 5, 9] = 1
    for matching in ("progressive", "initial"):
        warped = warped_values(model, structure, appearance, matching=matching, appearance_mask=allowed)
        offered = x0_of(model, appearance, FIRST, world.prompt(3))[..., 5:6, 9:10]
        assert world.relative(warped, offered.expand_as(warped)) < 1e-5


@pytest.mark.parametrize(
    ("matching", "extra"),
    [("none", 0), ("initial", 2 * LOOKS), ("progressive", 2 * LOOKS * (LAST - FIRST + 1))],
)
def test_cost(model, structure, appearance, matching, extra) -> None:
    """Every step guided; each of the window once more guided and once the appearance; and the looks of DIFT."""
    clone = model.clone()
    counter = world.count_evaluations(clone)
    sample(clone, structure, appearance, cfg=4.0, matching=matching)
    window = LAST - FIRST + 1
    assert counter.samples == 2 * (STEPS + window) + window + extra


def test_a_batch_is_its_images(model) -> None:
    """Two structures and one appearance, or two of each; relative 1e-3 (sums in another order)."""
    both = invert(model, world.latents(1, 2))
    looks = invert(model, world.latents(2, 2), positive=3)
    masks = torch.zeros(2, 16, 16)
    masks[0, :8] = 1
    masks[1, :, :12] = 1
    for shared in (True, False):
        appearance = looks.image(0) if shared else looks
        together = sample(model, both, appearance, matching="initial", mask=masks)
        for row in range(2):
            own = appearance if shared else looks.image(row)
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
        keep_latent=0.2, keep_noise=0.2, timestep=261, up_block=1, ensemble=LOOKS, seed=42,
    ).args[0]  # fmt: skip
    expected = sample(model, structure, appearance, matching="initial")
    guider = world.stock_guider(model, negative=world.prompt(2))
    assert torch.equal(world.sample(model, structure, guider=guider, sampler=sampler), expected)
