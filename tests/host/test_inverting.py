"""Inversion with a model of ComfyUI: exactness, schedules, batches, what is refused."""

import pytest
import torch
from appearance_transfer.tests.host import small_world as world


def schedule_of(model, **options):
    from appearance_transfer.host.models.schedules import schedule_of

    return schedule_of(model, **options)


def reconstruct(model, inversion):
    from appearance_transfer.host.inversion.ddpm_and_ddim import reconstruct

    with torch.inference_mode():
        return reconstruct(model, inversion)


def test_leading_levels_of_the_paper(model) -> None:
    """Spec 0.2: timesteps 671, 661, ..., 1 after 32 of 100 steps, and the image at alpha_bar[0]."""
    schedule = schedule_of(model, steps=100, start_at=32)
    alpha_bar = [1 / (1 + sigma**2) for sigma in schedule.sigmas]
    assert schedule.steps == 68
    assert alpha_bar[0] == pytest.approx(0.10151140, rel=1e-5)
    assert alpha_bar[66] == pytest.approx(0.98953755, rel=1e-5)
    assert schedule.pair(68)[0] ** 2 == pytest.approx(0.99915, rel=1e-6)


@pytest.mark.parametrize("steps", [1000, 999, 501, 334])
def test_many_steps_begin_in_pure_noise_and_come_back(model, steps) -> None:
    """One step for every timestep there is, and numbers that do not divide them."""
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim

    assert schedule_of(model, steps=steps).sigmas[0] > 0.97 * schedule_of(model, steps=1000).sigmas[0]
    schedule = schedule_of(model, steps=steps, start_at=steps - 4)
    latent = world.latents(3)
    assert world.relative(reconstruct(model, world.invert(model, latent, schedule=schedule)), latent) < 1e-3
    for timesteps in ("consistent", "reference"):
        with torch.inference_mode():
            texts = world.prompt(1), world.prompt(2)
            found = invert_with_ddim(model, latent, *texts, schedule, timesteps=timesteps)
        assert found.is_finite()


@pytest.mark.parametrize("scheduler", ["leading", "karras", "simple", "ddim_uniform"])
def test_replay_reconstructs_on_any_schedule(model, scheduler) -> None:
    import comfy.samplers

    sigmas = None
    if scheduler != "leading":
        sampling = model.get_model_object("model_sampling")
        sigmas = comfy.samplers.calculate_sigmas(sampling, scheduler, world.STEPS)[world.START :]
    latent = world.latents(3)
    schedule = schedule_of(model, steps=world.STEPS, start_at=world.START, sigmas=sigmas)
    inversion = world.invert(model, latent, schedule=schedule, guidance=3.5)
    assert world.relative(reconstruct(model, inversion), latent) < 1e-3


def test_without_the_last_noise_the_error_is_that_noise(model) -> None:
    """Spec 8.2: the final error is std * z_last, 0.020648 * z in the papers' scaling for the step from t = 1."""
    latent, scale = world.latents(3), 0.18215
    schedule = schedule_of(model, steps=100, start_at=90)
    exact = world.invert(model, latent, schedule=schedule)
    released = world.invert(model, latent, schedule=schedule, keep_last_noise=False)
    assert not released.noise_maps[-1].any()
    error = (latent - reconstruct(model, released)) * scale
    assert world.relative(error, 0.020648 * exact.noise_maps[-1]) < 2e-3


def test_levels_and_images_share_forwards_without_changing_anything(model) -> None:
    images = world.latents(4, 2)
    one_by_one = world.invert(model, images, guidance=3.5)
    together = world.invert(model, images, guidance=3.5, levels_per_forward=4)
    assert torch.equal(together.trajectory, one_by_one.trajectory)
    assert world.relative(together.noise_maps, one_by_one.noise_maps) < 1e-3
    first = world.invert(model, images[:1], guidance=3.5)
    assert torch.equal(first.trajectory[:, 0], one_by_one.trajectory[:, 0])
    assert world.relative(first.noise_maps[:, 0], one_by_one.noise_maps[:, 0]) < 1e-3


def invert_under(model, positive, latent=None, **options):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddpm

    latent = world.latents(3) if latent is None else latent
    with torch.inference_mode():
        schedule = schedule_of(model, steps=8)
        return invert_with_ddpm(model, latent, positive, positive, schedule, guidance=1.0, **options)


def test_ddim_comes_back_nearer_with_more_steps(model) -> None:
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim

    latent = world.latents(3)
    errors = []
    for steps in (10, 100):
        with torch.inference_mode():
            schedule = schedule_of(model, steps=steps, start_at=steps * 8 // 10)
            inversion = invert_with_ddim(model, latent, world.prompt(1), world.prompt(2), schedule)
        assert inversion.noise_maps.numel() == 0
        errors.append(world.relative(reconstruct(model, inversion), latent))
    assert errors[1] < 0.5 * errors[0]


def test_flow_models_invert_and_come_back(model) -> None:
    """The same network read as a flow model: x = (1 - sigma) x0 + sigma eps."""
    import comfy.model_sampling

    class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
        pass

    flow = model.clone()
    flow.add_object_patch("model_sampling", Flow(model.model.model_config))
    latent = world.latents(3)
    schedule = schedule_of(flow, steps=world.STEPS, start_at=world.START)
    assert schedule.flow
    inversion = world.invert(flow, latent, schedule=schedule)
    assert world.relative(reconstruct(flow, inversion), latent) < 1e-3


def test_inverting_leaves_the_model_as_it_was(model) -> None:
    first = world.invert(model, world.latents(3))
    options = str(model.model_options)
    assert torch.equal(world.invert(model, world.latents(3)).noise_maps, first.noise_maps)
    assert str(model.model_options) == options


class TestRefusals:
    def test_no_steps(self, model) -> None:
        with pytest.raises(ValueError, match="0 steps"):
            schedule_of(model, steps=1, sigmas=torch.tensor([1.0]))

    def test_nothing_left_to_run(self, model) -> None:
        with pytest.raises(ValueError, match="Set start_at_step below steps"):
            schedule_of(model, steps=20, start_at=20)

    def test_sigmas_that_rise(self, model) -> None:
        with pytest.raises(ValueError, match="must decrease"):
            schedule_of(model, steps=1, sigmas=torch.tensor([0.1, 1.0, 2.0]))

    def test_an_empty_prompt(self, model) -> None:
        from appearance_transfer.host.models.conditioning import pack

        with pytest.raises(ValueError, match="positive CONDITIONING is empty"):
            pack([[None, {}]], world.prompt(1))

    def test_what_an_inversion_cannot_keep_is_refused_before_the_model_runs(self, model) -> None:
        counted = model.clone()
        counter = world.count_evaluations(counted)
        two = [[torch.cat([world.prompt(1)[0][0], world.prompt(3)[0][0]]), {}]]
        with pytest.raises(ValueError, match="2 texts for 3 images"):
            invert_under(counted, two, world.latents(3, 3))
        with pytest.raises(ValueError, match=r"\[1, 4, 2, 16, 16\].* videos"):
            invert_under(counted, world.prompt(1), world.latents(3)[:, :, None].repeat(1, 1, 2, 1, 1))
        assert counter.samples == 0

    @pytest.mark.parametrize(
        ("extras", "named"),
        [
            ({"control": object(), "control_apply_to_uncond": True}, "a ControlNet"),
            ({"gligen": ("position", object(), [])}, "GLIGEN"),
            ({"hooks": object()}, "hooks"),
            ({"area": (8, 8, 0, 0), "strength": 1.0, "set_area_to_bounds": False}, "an area"),
            ({"mask": torch.ones(1, 128, 128), "mask_strength": 1.0}, "a mask"),
            ({"start_percent": 0.0, "end_percent": 0.5}, "a part of the steps"),
            ({"start_percent": 0.2, "end_percent": 1.0}, "a part of the steps"),
            ({"clip_vision_output": object()}, "'clip_vision_output'"),
            ({"unclip_conditioning": [{"strength": 1.0}]}, "'unclip_conditioning'"),
            ({"mixed": [torch.ones(1, 2), 3]}, "'mixed'"),
            ({"waves": torch.ones(1, 2, dtype=torch.complex64)}, "'waves'"),
            ({"a.b": 3}, r"'a\.b'"),
            ({"pooled_output": torch.full((1, 8), torch.nan)}, "NaN or infinite numbers"),
            ({"width": float("inf")}, "NaN or infinite numbers"),
            ({"pooled_output": torch.ones(2, 8)}, "2 texts for 1 images"),
        ],
    )
    @pytest.mark.parametrize("side", ["positive", "negative"])
    def test_what_a_text_may_not_hold_is_named(self, model, side, extras, named) -> None:
        from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim, invert_with_ddpm

        counted = model.clone()
        counter = world.count_evaluations(counted)
        texts = {"positive": world.prompt(1), "negative": world.prompt(1)}
        texts[side] = [[world.prompt(1)[0][0], extras]]
        for inverting in (invert_with_ddpm, invert_with_ddim):
            with pytest.raises(ValueError, match=f"{side}.*{named}"):
                inverting(counted, world.latents(3), schedule=schedule_of(model, steps=8), **texts)
        assert counter.samples == 0

    def test_several_texts(self, model) -> None:
        with pytest.raises(ValueError, match="The positive CONDITIONING holds 2 texts"):
            invert_under(model, world.prompt(1) + world.prompt(3))

    def test_a_text_that_is_on_everywhere_and_always_is_none_of_these(self, model) -> None:
        whole = {"strength": 0.5, "start_percent": 0.0, "end_percent": 1.0}
        inversion = invert_under(model, [[world.prompt(1)[0][0], whole]])
        assert torch.equal(inversion.noise_maps, invert_under(model, world.prompt(1)).noise_maps)
        assert set(inversion.conditioning) == {"positive", "negative"}

    def test_a_text_that_is_not_a_number(self, model) -> None:
        with pytest.raises(ValueError, match="The positive CONDITIONING holds NaN or infinite numbers"):
            invert_under(model, [[torch.full((1, 77, 16), torch.inf), {}]])

    def test_a_model_that_overflows(self, model) -> None:
        broken = model.clone()
        broken.set_model_sampler_post_cfg_function(lambda args: args["denoised"] * torch.inf)
        with pytest.raises(ValueError, match="The inversion holds NaN or infinite numbers"):
            invert_under(broken, world.prompt(1))

    def test_a_model_without_noise_levels_we_know(self, model) -> None:
        stranger = model.clone()
        stranger.add_object_patch("model_sampling", torch.nn.Identity())
        with pytest.raises(ValueError, match="eps, v and flow"):
            schedule_of(stranger, steps=10)
