"""pix2pix-zero's inversion with a model of ComfyUI: the reference code's tensors, and what our modes promise."""

import pytest
import torch
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.golden_model import papers_scaling, pix2pix_zero_model

REFERENCE_CODE = "reference"  # the timesteps of the reference code


@pytest.fixture(scope="module")
def reference_model(host):
    return pix2pix_zero_model()


def stored(name: str) -> torch.Tensor:
    return golden("p2pz_B2_inversion", name, SPLICE_AND_PIX2PIX_ZERO)


def invert(model, latent, *, steps: int, positive=None, **options):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
    from appearance_transfer.host.models.schedules import schedule_of

    positive = positive or world.prompt(1)
    schedule = schedule_of(model, steps=steps, start_at=options.pop("start_at", 0))
    with torch.inference_mode():
        return invert_with_ddim(model, latent, positive, positive, schedule, **options)


def invert_reference(model, steps: int, **options):
    """As the golden tensors were made: from the stored clean latent, under the stored text."""
    latent = model.get_model_object("latent_format").process_out(stored("x0"))
    return invert(model, latent, steps=steps, positive=[[stored("cond"), {}]], timesteps=REFERENCE_CODE, **options)


def with_stored_shifts(monkeypatch, steps: int) -> None:
    """Let the regularizer take the released run's shifts, call by call, in place of drawn ones."""
    from appearance_transfer.inversion import regularize as regularize

    calls = iter(stored(f"n{steps}.shifts"))
    monkeypatch.setattr(regularize, "draw_shifts", lambda eps, settings, generator: next(calls))


@pytest.mark.parametrize("timestep", [1, 501, 981])
def test_the_network_is_the_released_one(reference_model, timestep) -> None:
    """B0: eps, float32, absolute 1e-4."""
    names = ("x", "context_batch", f"eps_t{timestep}")
    x, context, expected = (golden("p2pz_B0_unet_io", name, SPLICE_AND_PIX2PIX_ZERO) for name in names)
    with torch.inference_mode():
        timesteps = torch.full((len(x),), timestep)
        found = reference_model.model.diffusion_model(x, timesteps, context=context)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


@pytest.mark.parametrize("steps", [10, 50])
def test_the_regularized_latents_are_those_of_the_released_code(reference_model, steps, monkeypatch) -> None:
    """B2: absolute 1e-3, latents of about unit size; seen: 1.4e-5. The start, in the papers' scaling, is x_inv."""
    from appearance_transfer.inversion.regularize import Regularization

    with_stored_shifts(monkeypatch, steps)
    inversion = invert_reference(reference_model, steps, regularization=Regularization())
    sigmas = inversion.schedule.sigmas
    for state, expected in zip(stored(f"n{steps}.latents_index"), stored(f"n{steps}.latents_after"), strict=True):
        level = steps - 2 - int(state)
        found = papers_scaling(inversion.trajectory[level], sigmas[level])
        torch.testing.assert_close(found, expected[None], rtol=0, atol=1e-3)
    torch.testing.assert_close(papers_scaling(inversion.start, sigmas[0]), stored(f"n{steps}.x_inv"), rtol=0, atol=1e-3)


def test_without_regularization_it_is_the_plain_released_inversion(reference_model) -> None:
    inversion = invert_reference(reference_model, 10)
    found = papers_scaling(inversion.start, inversion.schedule.sigmas[0])
    torch.testing.assert_close(found, stored("n10.plain.x_inv"), rtol=0, atol=1e-3)


def test_replay_of_the_record_is_the_released_reconstruction(reference_model, monkeypatch) -> None:
    """B3, real images: with the caption on both sides guidance has no effect (acceptance test 7), one pass will do.

    Absolute 1e-3; seen on torch 2.11: 2e-4 for 10 steps, 3e-4 for 50.
    """
    from appearance_transfer.host.inversion.ddpm_and_ddim import reconstruct
    from appearance_transfer.inversion.regularize import Regularization

    with_stored_shifts(monkeypatch, 10)
    inversion = invert_reference(reference_model, 10, regularization=Regularization())
    with torch.inference_mode():
        latent = reconstruct(reference_model, inversion)
    found = reference_model.get_model_object("latent_format").process_in(latent)
    expected = golden("p2pz_B3_reconstruction", "real10.final", SPLICE_AND_PIX2PIX_ZERO)
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-3)


@pytest.mark.parametrize(("steps", "timesteps"), [(50, range(21, 962, 20)), (100, range(11, 982, 10))])
def test_the_network_is_asked_at_the_released_timesteps(model, steps, timesteps) -> None:
    """Spec, acceptance test 5."""
    sampling = model.get_model_object("model_sampling")
    asked = []

    def note(apply, arguments):
        asked.append(int(sampling.timestep(arguments["timestep"])[0]))
        return torch.zeros_like(arguments["input"])

    watched = model.clone()
    watched.set_model_unet_function_wrapper(note)
    inversion = invert(watched, world.latents(3), steps=steps, timesteps=REFERENCE_CODE)
    assert asked == list(timesteps)
    stride = 1000 // steps
    visited = [int(sampling.timestep(torch.tensor(sigma))) for sigma in inversion.schedule.sigmas[:-1]]
    assert visited == list(range(1000 - stride + 1, 0, -stride))


@pytest.mark.parametrize("timesteps", ["consistent", REFERENCE_CODE])
def test_the_start_of_an_image_becomes_as_white_as_noise(host, timesteps) -> None:
    """The pocket checkpoint, 20 steps. Seen: 0.24 and 0.14 without, 0.038 and 0.032 with; white noise has 0.040."""
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint
    from appearance_transfer.inversion.regularize import Regularization, draw_shifts, pair_loss
    from appearance_transfer.pocket.captions import caption
    from appearance_transfer.pocket.render import render
    from appearance_transfer.pocket.scene import random_scene

    model, clip, vae = load_pocket_checkpoint()
    scene = random_scene(1_000_000)
    losses = []
    with torch.inference_mode():
        latent = vae.encode(render([scene], 128).image)
        positive = [[clip.encode(caption(scene)), {}]]
    for regularization in (None, Regularization(seed=1)):
        inversion = invert(
            model, latent, steps=20, positive=positive, timesteps=timesteps, regularization=regularization
        )
        start = papers_scaling(inversion.start, inversion.schedule.sigmas[0])
        shifts = draw_shifts(start, Regularization(), torch.Generator().manual_seed(0)).flatten(0, 1)
        losses.append(torch.stack([pair_loss(start, some)[0] for some in shifts]).mean())
    assert losses[1] < 0.06
    assert losses[1] < 0.5 * losses[0]


def test_a_seed_is_a_result_and_off_is_what_it_was(model) -> None:
    from appearance_transfer.inversion.regularize import Regularization

    def start(regularization):
        return invert(model, world.latents(3), steps=6, regularization=regularization).start

    assert torch.equal(start(Regularization(seed=1)), start(Regularization(seed=1)))
    assert not torch.equal(start(Regularization(seed=1)), start(Regularization(seed=2)))
    assert torch.equal(start(Regularization(pair=0.0, divergence=0.0)), start(None))


def test_the_node_leaves_it_off_by_default(host, model) -> None:
    node = host.nodes["AppearanceTransfer_InvertImageDDIM"]
    defaults = {one.id: one.default for one in node.define_schema().inputs if getattr(one, "default", None) is not None}
    changes = {"latent": {"samples": world.latents(3)}, "positive": world.prompt(1), "negative": world.prompt(1)}
    inputs = defaults | changes | {"model": model, "steps": 6}
    with torch.inference_mode():
        default, on = (node.execute(**inputs | options).args[0] for options in ({}, {"regularization": True}))
    assert torch.equal(default.trajectory, invert(model, world.latents(3), steps=6).trajectory)
    assert not torch.equal(on.trajectory, default.trajectory)
    assert on.seed == defaults["seed"]


class TestRefusals:
    def test_reference_timesteps_of_a_flow_model(self, model) -> None:
        import comfy.model_sampling

        class Flow(comfy.model_sampling.ModelSamplingDiscreteFlow, comfy.model_sampling.CONST):
            pass

        flow = model.clone()
        flow.add_object_patch("model_sampling", Flow(model.model.model_config))
        with pytest.raises(ValueError, match="Choose the consistent timesteps"):
            invert(flow, world.latents(3), steps=6, timesteps=REFERENCE_CODE)

    def test_too_few_steps_for_the_reference_timesteps(self, model) -> None:
        with pytest.raises(ValueError, match="leave out the first and the last"):
            invert(model, world.latents(3), steps=2, timesteps=REFERENCE_CODE)
