"""Cross-attention guidance: the tensors of the reference code, and gradients against finite differences."""

from contextlib import suppress

import pytest
import torch
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden, noted
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.golden_model import StopRun, papers_scaling, pix2pix_zero_model
from appearance_transfer.tests.host.guided_edits import NEGATIVE, guiding, invert


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():  # as ComfyUI makes its weights
        return world.small_model()


@pytest.fixture(scope="module")
def inversion(model):
    return invert(model)


class TestParity:
    """pix2pix-zero's released edit loop on its random U-Net (golden set B4), from the stored start on."""

    @pytest.fixture(scope="class")
    def reference_model(self, host):
        with torch.inference_mode():
            return pix2pix_zero_model()

    @staticmethod
    def stored(name: str) -> torch.Tensor:
        return golden("p2pz_B4_edit", name, SPLICE_AND_PIX2PIX_ZERO)

    def edited(self, model, run: str, *, apply_direction: bool = True, latents=None, **settings) -> list[torch.Tensor]:
        """The latents after every step, in the papers' scaling; the last one is the image.

        latents: what every step starts from instead of the last one's result; the run ends where there are no more.
        """
        from appearance_transfer.host.models.schedules import schedule_of, sigmas_tensor
        from appearance_transfer.host.runtime.model_runner import run_guider
        from appearance_transfer.inversion.replay import replay

        text = self.stored("cond")
        target = text + self.stored("direction") if apply_direction else text.clone()
        if run.startswith("real"):
            start, negative = golden("p2pz_B3_reconstruction", f"{run}.x_in", SPLICE_AND_PIX2PIX_ZERO), None
        else:
            start, negative = self.stored("x_in_synth"), [[self.stored("neg"), {}]]
        guider = guiding(model, [[text, {}]], [[target, {}]], negative, **settings)
        schedule = schedule_of(model, steps=int(run[-2:]))
        start = start * (1 + schedule.sigmas[0] ** 2) ** 0.5
        states = []

        def note(x, i):
            sigma = schedule.sigmas[i + 1]
            states.append(papers_scaling(x, sigma))
            if latents is None:
                return x
            if i + 1 == len(latents):
                raise StopRun
            return latents[i + 1][None] * (1 + sigma**2) ** 0.5

        def body(denoise, x0):
            return replay(denoise, start.clone(), schedule, None, 0.0, after_step=note)

        with torch.inference_mode(), suppress(StopRun):
            run_guider(guider, start, body, sigmas=sigmas_tensor(schedule))
        return states

    @pytest.mark.parametrize(("run", "amount"), [("real10", 0.1), ("synth10", 0.15)])
    def test_gradients_at_the_stored_latents(self, reference_model, gradient_passes, run, amount) -> None:
        latents = self.stored(f"{run}.edit_latents")[:3]
        self.edited(reference_model, run, amount=amount, latents=latents)
        for i, (gradient, _) in enumerate(gradient_passes):
            expected = self.stored(f"{run}.grad_step{i}").flip(0)
            assert noted(float((gradient[:, 0] - expected).norm() / expected.norm())) < 1e-5
        assert len(gradient_passes) == len(latents)

    @pytest.mark.parametrize(("run", "amount"), [("real10", 0.1), ("synth10", 0.15)])
    def test_losses_and_latents(self, reference_model, gradient_passes, run, amount) -> None:
        states = self.edited(reference_model, run, amount=amount)
        losses = torch.stack([losses.sum() for _, losses in gradient_passes]).double()
        torch.testing.assert_close(losses, self.stored(f"{run}.loss"), rtol=1e-5, atol=0)
        for state, expected in zip(states, self.stored(f"{run}.edit_latents")[1:], strict=True):
            assert world.relative(state[0], expected) < 1e-4

    @pytest.mark.parametrize("target", ["conditional", "mean", "original"])
    def test_the_other_update_targets(self, reference_model, gradient_passes, target) -> None:
        name = f"real10_carry_{target.replace('conditional', 'cond')}"  # as the stored tensors are called
        states = self.edited(reference_model, "real10", update_target=target)
        for state, expected in zip(states, self.stored(f"{name}.edit_latents_1_2_3"), strict=False):
            assert world.relative(state[0], expected) < 1e-4
        losses = torch.stack([losses.sum() for _, losses in gradient_passes]).double()
        torch.testing.assert_close(losses, self.stored(f"{name}.loss"), rtol=1e-5, atol=0)
        assert world.relative(states[-1], self.stored(f"{name}.edit_final")) < 1e-4

    @pytest.mark.parametrize(
        ("name", "options"), [("lambda0", {"amount": 0.0}), ("nodirection", {"apply_direction": False})]
    )
    def test_nothing_to_guide(self, reference_model, name, options) -> None:
        states = self.edited(reference_model, "real10", **options)
        assert world.relative(states[-1], self.stored(f"real10_{name}.edit_final")) < 1e-4

    def test_fifty_steps(self, reference_model) -> None:
        states = self.edited(reference_model, "real50")
        assert world.relative(states[-1], self.stored("real50.edit_final")) < 1e-3


class TestGradient:
    SIGMA = 3.0

    def asked(self, model, question):
        """What `question(at, x)` answers; at(x) -> the gradient pass at x, against the maps of another latent."""
        import comfy.samplers
        from appearance_transfer.host.editing.cross_attention_guider import attention_gradient
        from appearance_transfer.host.runtime.gradients import autograd_inside
        from appearance_transfer.host.runtime.model_runner import run_guider

        guider = guiding(model, negative=world.prompt(NEGATIVE))
        x = world.latents(5) * 3

        def body(denoise, x0):
            network, options = guider.inner_model, guider.model_options
            sigma = torch.full((1,), self.SIGMA)
            with autograd_inside(network):
                reference = guider.text_maps.recorder()
                prompts = [guider.conds["original"], guider.conds["negative"]]
                comfy.samplers.calc_cond_batch(network, prompts, world.latents(7), sigma, reference.options(options))
                return question(lambda x: attention_gradient(guider, x, sigma, reference.maps, options), x.clone())

        with torch.inference_mode():
            return run_guider(guider, x, body, sigmas=torch.tensor([self.SIGMA, 0.0]))

    def in_our_scale(self, shift: torch.Tensor) -> torch.Tensor:
        return shift * (1 + self.SIGMA**2) ** 0.5

    def test_it_is_that_of_finite_differences(self, model) -> None:
        direction = world.latents(6)

        def question(at, x):
            gradient, _ = at(x)
            ahead, behind = (at(x + self.in_our_scale(weight * direction))[1].double() for weight in (0.003, -0.003))
            return (gradient * direction).sum(dim=(2, 3, 4)).double(), (ahead - behind) / 0.006

        gradients, differences = self.asked(model, question)
        assert bool((gradients.abs() > 1e-3).all())
        torch.testing.assert_close(gradients, differences, rtol=0.02, atol=0)

    def test_a_step_against_it_brings_the_maps_nearer(self, model) -> None:
        def question(at, x):
            gradient, before = at(x)
            after = [at(x + self.in_our_scale(-0.1 * gradient[prompt]))[1][prompt] for prompt in (0, 1)]
            return before, torch.stack(after)

        before, after = self.asked(model, question)
        assert bool((after < before).all())

    def test_blocks_computed_twice_give_the_same(self, model) -> None:
        from appearance_transfer.host.runtime.gradients import transformers_recomputed

        network = model.model.diffusion_model
        names = [name for name, _ in network.named_modules()]

        def question(at, x):
            with transformers_recomputed(network):
                assert [name for name, _ in network.named_modules()] != names
                twice = at(x)
            return at(x), twice

        for once, twice in zip(*self.asked(model, question), strict=True):
            assert torch.equal(once, twice)
        assert [name for name, _ in network.named_modules()] == names
