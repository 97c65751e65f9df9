"""Resume from Inversion, AdaIN between the steps and on a finished LATENT, and what is refused."""

from dataclasses import replace

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


@pytest.fixture(scope="module")
def appearance(model):
    return world.invert(model, world.latents(2) * 2 + 3, seed=7)


def adain(appearance, first=0, last=99, content=None, style=None):
    from appearance_transfer.host.transfer.adain_operation import AdaINOperation

    return AdaINOperation(appearance, content, style, world.window(first, last))


def statistics(latent):
    return torch.stack([latent.mean((-1, -2)), latent.std((-1, -2))])


def test_the_node_hands_out_the_inversion(host, structure, model) -> None:
    noise, sampler, sigmas, latent = host.nodes["AppearanceTransfer_ResumeFromInversion"].execute(structure).args
    assert not noise.generate_noise(latent).any()
    out = world.sample(model, structure, latent=latent["samples"], sampler=sampler, sigmas=sigmas)
    assert world.relative(out, world.latents(1)) < 1e-3


def test_adain_at_the_last_step_gives_the_appearances_statistics(model, structure, appearance) -> None:
    out = world.sample(model, structure, between_steps=adain(appearance))
    expected = statistics(model.get_model_object("latent_format").process_out(appearance.x0))
    assert world.relative(statistics(out), expected) < 1e-2
    plain = world.sample(model, structure)
    assert world.relative(statistics(plain), expected) > 0.2


def test_adain_outside_its_window_does_nothing(model, structure, appearance) -> None:
    closed = world.sample(model, structure, between_steps=adain(appearance, 50, 60))
    assert torch.equal(closed, world.sample(model, structure))


def test_adain_leaves_what_the_mask_leaves_out(model, structure, appearance) -> None:
    content = torch.zeros(1, 128, 128)
    content[:, :, :64] = 1
    last = structure.steps - 1
    masked = world.sample(model, structure, between_steps=adain(appearance, last, last, content=content))
    plain = world.sample(model, structure)
    assert torch.equal(masked[..., 9:], plain[..., 9:])
    assert not torch.equal(masked[..., :7], plain[..., :7])


def test_an_empty_mask_is_a_warning_and_an_image(model, structure, appearance, caplog) -> None:
    empty = torch.zeros(1, 128, 128)
    out = world.sample(model, structure, between_steps=adain(appearance, content=empty, style=empty))
    assert torch.isfinite(out).all()
    assert "mask has no full pixels" in caplog.text
    assert world.relative(out, world.sample(model, structure, between_steps=adain(appearance))) < 1e-4


def test_the_hosts_own_node_applies_it_to_a_finished_latent(host, model, structure, appearance) -> None:
    latent = {"samples": world.latents(1)}
    out = host.nodes["LatentApplyOperation"].execute(latent, adain(appearance)).args[0]["samples"]
    expected = model.get_model_object("latent_format").process_out(appearance.x0)
    assert world.relative(statistics(out), statistics(expected)) < 1e-2
    assert torch.equal(latent["samples"], world.latents(1))


def test_any_latent_operation_of_the_host_fits_between_the_steps(host, model, structure) -> None:
    sharpen = host.nodes["LatentOperationSharpen"].execute(sharpen_radius=3, sigma=1.0, alpha=0.1).args[0]
    out = world.sample(model, structure, between_steps=sharpen)
    assert torch.isfinite(out).all()
    assert not torch.equal(out, world.sample(model, structure))


def test_a_noise_mask_keeps_the_image_outside(model, structure) -> None:
    """A LATENT with a noise_mask: outside of it the inverted image stays, at every step."""
    mask = torch.zeros(1, 1, 128, 128)
    mask[..., :64] = 1
    other_text = world.stock_guider(model, positive=world.prompt(3), negative=world.prompt(3))
    out = world.sample(model, structure, guider=other_text, noise_mask=mask)
    image = world.latents(1)
    assert world.relative(out[..., 9:], image[..., 9:]) < 1e-5
    assert world.relative(out[..., :7], image[..., :7]) > 1e-2


def test_differential_diffusion_frees_a_position_at_the_step_that_its_mask_says(host, model, structure) -> None:
    """A noise_mask of 0.6: the inverted image up to the level at 0.6 of the timesteps, another text from there."""
    gradual = host.nodes["DifferentialDiffusion"].execute(model, 1.0)[0]
    mask = torch.full((1, 1, 128, 128), 0.6)

    def sampled(patched, inversion, **options):
        guider = world.stock_guider(patched, positive=world.prompt(3), negative=world.prompt(3))
        return world.sample(patched, inversion, guider=guider, **options)

    out = sampled(gradual, structure, noise_mask=mask)
    assert world.relative(out, sampled(model, structure, noise_mask=mask)) > 1e-2
    sampling = model.get_model_object("model_sampling")
    times = [float(sampling.timestep(torch.tensor(sigma))) for sigma in structure.schedule.sigmas[:-1]]
    free = next(i for i, time in enumerate(times) if (time - times[-1]) / (times[0] - times[-1]) <= 0.6)
    assert 0 < free < structure.steps - 1
    rest = replace(
        structure,
        schedule=structure.schedule.tail(free),
        trajectory=structure.trajectory[free:],
        noise_maps=structure.noise_maps[free:],
    )
    assert world.relative(out, sampled(model, rest)) < 1e-5


def test_sigmas_of_another_schedule_are_refused(model, structure) -> None:
    with pytest.raises(ValueError, match="Connect the SIGMAS output"):
        world.sample(model, structure, sigmas=torch.tensor([3.0, 1.0, 0.0]))


def test_a_latent_of_another_size_is_refused(model, structure) -> None:
    with pytest.raises(ValueError, match="Connect the LATENT output"):
        world.sample(model, structure, latent=torch.zeros(1, 4, 8, 8))


@pytest.mark.parametrize(("steps", "start"), [(5, 0), (20, 10)], ids=["fewer", "as many from another level"])
def test_an_appearance_of_other_levels_and_size_is_measured_at_the_level_of_the_run(
    model, structure, steps, start
) -> None:
    """Where it has no such level it is noised; at the end stands the image itself."""
    from appearance_transfer.host.models.schedules import schedule_of

    schedule = schedule_of(model, steps=steps, start_at=start)
    other = world.invert(model, (world.latents(2) * 2 + 3)[..., :8], schedule=schedule)
    operation = adain(other)

    def watched(latent, sigma, **about):
        out = operation(latent, sigma, **about)
        assert out.std() > 0.9 * structure.schedule.sigmas[structure.schedule.index_of(sigma) + 1]
        return out

    out = world.sample(model, structure, between_steps=watched)
    expected = statistics(model.get_model_object("latent_format").process_out(other.x0))
    assert world.relative(statistics(out), expected) < 1e-2


class TestAdaINOfABatch:
    """An image or mask for all, or one for each."""

    def test_it_is_its_images(self, model) -> None:
        both, appearances = world.invert(model, world.latents(1, 2)), world.invert(model, world.latents(2, 2))
        content, style = torch.zeros(2, 2, 32, 32)
        content[0, :16], content[1, 16:], style[0, :, 16:], style[1] = 1, 1, 1, 1
        twice = model.get_model_object("latent_format").process_out(both.start).repeat(2, 1, 1, 1)
        out = world.sample(model, both, latent=twice, between_steps=adain(appearances, content=content, style=style))
        for i in range(4):
            one = i % 2
            operation = adain(appearances.image(one), content=content[one : one + 1], style=style[one : one + 1])
            alone = world.sample(model, both.image(one), between_steps=operation)
            assert world.relative(out[i : i + 1], alone) < 1e-4

    def test_another_number_is_refused_before_the_first_step(self, model, appearance) -> None:
        both = world.invert(model, world.latents(1, 2))
        three, masks = world.invert(model, world.latents(2, 3)), torch.ones(3, 16, 16)
        counted = model.clone()
        counter = world.count_evaluations(counted)
        with pytest.raises(ValueError, match="appearance holds 3 images and the batch 2"):
            world.sample(counted, both, between_steps=adain(three))
        with pytest.raises(ValueError, match="AdaIN's mask holds 3 images and the batch 2"):
            world.sample(counted, both, between_steps=adain(appearance, content=masks))
        with pytest.raises(ValueError, match="appearance_mask holds 3 masks and the appearance 1"):
            adain(appearance, style=masks)
        with pytest.raises(ValueError, match="appearance holds 3 images and the batch 2"):
            adain(three)(latent=world.latents(1, 2))
        assert counter.samples == 0
