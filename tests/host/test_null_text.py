"""Null-text inversion with a model of ComfyUI: parity, gradients, what it leaves behind, what is refused."""

import dataclasses
import gc

import pytest
import torch
from appearance_transfer.tests.golden.reference import golden
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.golden_model import golden_model, papers_scaling
from appearance_transfer.tests.host.null_texts import STEPS, apart, interrupted, invert, plain, reconstruct, schedule_of


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():  # as ComfyUI makes its weights
        return world.small_model()


@pytest.fixture(scope="module")
def inverted(model):
    return invert(model)


class TestParity:
    """The reference code's tensors, from the clean latent on (golden set A, null_text).

    Where a gradient is nearly 0, Adam makes a whole step of its rounding; so a free run leaves the released one little
    by little, and later steps are compared after the released embeddings of those before.
    """

    OPTIONS = {"steps": 10, "updates": 10, "early_stop": 0.18}

    @pytest.fixture(scope="class")
    def golden_unet(self, host):
        with torch.inference_mode():
            return golden_model()

    @pytest.fixture(scope="class")
    def task(self):
        prompts = [[golden("null_text", "text_cond_nti"), {}]], [[golden("null_text", "text_uncond"), {}]]
        return {"latent": golden("null_text", "x0") / 0.18215, "prompts": prompts, **self.OPTIONS}

    @pytest.fixture(scope="class")
    def beginning(self, golden_unet, task):
        return interrupted(golden_unet, after=2, **task)

    @pytest.fixture(scope="class")
    def released(self, beginning):
        return dataclasses.replace(
            beginning,
            null_text=golden("null_text", "emb")[:, None],
            null_text_losses=golden("null_text", "losses")[:, None],
        )

    def test_the_path_up(self, beginning) -> None:
        expected = golden("null_text", "ddim").flip(0)
        for level, sigma in enumerate(beginning.schedule.sigmas):
            assert world.relative(papers_scaling(beginning.trajectory[level, 0], sigma), expected[level]) < 1e-4

    def test_the_first_steps(self, beginning) -> None:
        expected = golden("null_text", "losses")[:2]
        assert torch.allclose(beginning.null_text_losses[:, 0], expected, rtol=1e-4, atol=0, equal_nan=True)
        assert apart(beginning.null_text[:, 0], golden("null_text", "emb")[:2]) < 1e-4

    def test_the_last_step(self, golden_unet, task, released) -> None:
        unfinished = dataclasses.replace(
            released, null_text=released.null_text[:9], null_text_losses=released.null_text_losses[:9]
        )
        ours = invert(golden_unet, continue_from=unfinished, **task)
        assert torch.allclose(ours.null_text_losses[9], released.null_text_losses[9], rtol=1e-4, atol=0)
        assert apart(ours.null_text[9], released.null_text[9]) < 1e-3

    def test_sampling_with_the_embeddings(self, golden_unet, released) -> None:
        final = reconstruct(golden_unet, released) * 0.18215
        assert apart(final, golden("null_text", "final")) < 1e-4
        assert apart(final, golden("null_text", "plain_final")) > 0.1


class TestResult:
    def test_the_image_comes_back_nearer_than_without(self, model) -> None:
        latent = world.latents(3)
        inversion = invert(model, latent, updates=20)
        with_null_text, without = (reconstruct(model, found) for found in (inversion, plain(inversion)))
        assert apart(with_null_text, latent) < 0.7 * apart(without, latent)

    def test_what_it_holds(self, inverted) -> None:
        assert inverted.null_text.shape == (STEPS, 1, 77, world.CONFIG["context_dim"])
        assert inverted.null_text_losses.shape == (STEPS, 1, 3)
        assert (inverted.method, inverted.guidance) == ("ddim", 7.5)
        assert not inverted.null_text.requires_grad
        assert bool((inverted.null_text_losses[:, 0, -1] < inverted.null_text_losses[:, 0, 0]).all())

    def test_images_of_a_batch_are_as_if_alone(self, model) -> None:
        images = world.latents(4, 2)
        together = invert(model, images)
        alone = invert(model, images[1:])
        assert apart(together.image(1).null_text, alone.null_text) < 1e-3
        assert torch.allclose(together.image(1).null_text_losses, alone.null_text_losses, rtol=1e-3)

    def test_an_interrupted_inversion_goes_on_where_it_was(self, model, inverted) -> None:
        unfinished = interrupted(model, after=2)
        assert unfinished.null_text_steps == 2
        finished = invert(model, continue_from=unfinished)
        assert torch.equal(finished.null_text, inverted.null_text)
        assert torch.equal(finished.null_text_losses, inverted.null_text_losses)
        assert torch.equal(invert(model, continue_from=finished).null_text, inverted.null_text)

    def test_nothing_is_kept_of_no_steps(self, model) -> None:
        kept = []
        with pytest.raises(ValueError, match="NaN or infinite"):
            invert(model, world.latents(3) * torch.inf, keep_unfinished=kept.append)
        assert not kept


def test_the_gradient_is_that_of_finite_differences(model) -> None:
    from appearance_transfer.host.inversion.null_text import _OneSideGuider
    from appearance_transfer.host.models.schedules import sigmas_tensor
    from appearance_transfer.host.runtime.gradients import autograd_inside, differentiable
    from appearance_transfer.host.runtime.model_runner import run_guider

    guider = _OneSideGuider(differentiable(model))
    guider.set_conds(world.prompt(1), world.prompt(2))
    x = world.latents(5)
    embedding, direction = world.prompt(6)[0][0], world.prompt(7)[0][0]

    def value(denoise, embedding):
        guider.embedding = embedding
        return denoise(x.clone(), 2.0).square().mean()

    def body(denoise, x0):
        with autograd_inside(guider.inner_model):
            at = embedding.clone().requires_grad_(True)
            (gradient,) = torch.autograd.grad(value(denoise, at), at)
            with torch.no_grad():
                ahead, behind = (value(denoise, embedding + sign * 0.02 * direction) for sign in (1, -1))
            return float((gradient * direction).sum()), float(ahead - behind) / 0.04

    with torch.inference_mode():
        slope, difference = run_guider(guider, x, body, sigmas=sigmas_tensor(schedule_of(model, steps=STEPS)))
    assert abs(slope) > 1e-4
    assert slope == pytest.approx(difference, rel=0.02)


class TestWhatIsLeft:
    def sampled(self, model, inversion) -> torch.Tensor:
        return world.sample(model, plain(inversion), guider=world.stock_guider(model, negative=world.prompt(2), cfg=4))

    @pytest.mark.parametrize("run", [invert, lambda model: interrupted(model, after=2)], ids=["finished", "canceled"])
    def test_the_model_is_as_it_was(self, model, inverted, run) -> None:
        import comfy.model_management

        before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
        options, image = str(model.model_options), self.sampled(model, inverted)
        run(model)
        after = model.model.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert not any(parameter.requires_grad for parameter in model.model.parameters())
        assert str(model.model_options) == options
        assert not comfy.model_management.in_training
        assert torch.equal(self.sampled(model, inverted), image)

    def test_no_graph_stays_alive(self, model) -> None:
        def graphs() -> int:
            gc.collect()
            return sum(torch.is_tensor(found) and found.requires_grad for found in gc.get_objects())

        before = graphs()
        inversion = invert(model)
        assert graphs() == before
        assert inversion.null_text_steps == STEPS

    def test_half_precision_is_left_for_fp32_and_found_again(self, model, inverted) -> None:
        half = model.clone()
        half.set_model_compute_dtype(torch.float16)
        image = self.sampled(half, inverted)
        assert not torch.equal(image, self.sampled(model, inverted))
        found = invert(half)
        assert torch.equal(found.null_text, inverted.null_text)
        assert torch.equal(self.sampled(half, inverted), image)


class TestRefusals:
    def test_quantized_weights_before_anything_is_computed(self, host) -> None:
        quantized = world.small_model()
        counter = world.count_evaluations(quantized)
        layer = quantized.model.diffusion_model.middle_block[1].transformer_blocks[0].attn1.to_q
        layer.weight = torch.nn.Parameter(layer.weight.to(torch.float8_e4m3fn), requires_grad=False)
        with pytest.raises(ValueError, match="quantized .*to_q.weight"):
            invert(quantized)
        assert counter.samples == 0

    def test_weights_that_cannot_be_loaded_whole(self, model, monkeypatch) -> None:
        monkeypatch.setattr(type(model), "is_dynamic", lambda self: True)
        with pytest.raises(ValueError, match="cannot load them whole"):
            invert(model)

    def test_levels_that_do_not_end_at_the_image(self, model) -> None:
        with pytest.raises(ValueError, match="ends at sigma 0.5"):
            invert(model, sigmas=torch.tensor([5.0, 0.5]))

    @pytest.mark.parametrize(
        ("change", "named"),
        [
            ({"latent": world.latents(9)}, "latent"),
            ({"latent": world.latents(3, 2)}, "latent"),
            ({"prompts": (world.prompt(1), world.prompt(3))}, "text"),
            ({"steps": 5}, "steps"),
            ({"guidance": 4.0, "updates": 2}, "guidance and another updates"),
        ],
    )
    def test_continuing_something_else(self, model, inverted, change, named) -> None:
        with pytest.raises(ValueError, match=f"another {named}. "):
            invert(model, continue_from=inverted, **change)

    def test_continuing_what_was_never_begun(self, model, inverted) -> None:
        with pytest.raises(ValueError, match="holds no steps"):
            invert(model, continue_from=plain(inverted))
