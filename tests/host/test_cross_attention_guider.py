"""Cross-attention guidance as a GUIDER: the reference code's tensors, what must be equal, what it leaves behind."""

import gc
from contextlib import suppress

import pytest
import torch
from appearance_transfer.tests.golden.reference import SPLICE_AND_PIX2PIX_ZERO, golden, noted
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.golden_model import StopRun, papers_scaling, pix2pix_zero_model

STEPS = 5
ORIGINAL, EDITED, NEGATIVE = 1, 3, 2  # prompts of the small world


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():  # as ComfyUI makes its weights
        return world.small_model()


@pytest.fixture(scope="module")
def inversion(model):
    return invert(model)


def invert(model, latent=None):
    from appearance_transfer.host.inversion.ddpm_and_ddim import invert_with_ddim
    from appearance_transfer.host.models.schedules import schedule_of

    latent = world.latents(3) if latent is None else latent
    with torch.inference_mode():
        return invert_with_ddim(
            model, latent, world.prompt(ORIGINAL), world.prompt(ORIGINAL), schedule_of(model, steps=STEPS)
        )


def guiding(model, positive=None, edited=None, negative=None, **settings):
    from appearance_transfer.host.editing.cross_attention_guider import CrossAttentionGuider, CrossAttentionSettings

    positive = positive or world.prompt(ORIGINAL)
    return CrossAttentionGuider(
        model, positive, edited or world.prompt(EDITED), negative, CrossAttentionSettings(**settings)
    )


def edit(model, inversion, **options):
    return world.sample(model, inversion, guider=guiding(model, **options))


def plain(model, inversion, positive=EDITED, negative=ORIGINAL, cfg=5.0, **options):
    guider = world.stock_guider(model, positive=world.prompt(positive), negative=world.prompt(negative), cfg=cfg)
    return world.sample(model, inversion, guider=guider, **options)


@pytest.fixture
def seen(monkeypatch):
    """What every gradient pass finds: (gradient [2, B, C, h, w], losses [2, B])."""
    from appearance_transfer.host.editing import cross_attention_guider

    found = []
    real = cross_attention_guider.attention_gradient

    def noting(*args):
        found.append(real(*args))
        return found[-1]

    monkeypatch.setattr(cross_attention_guider, "attention_gradient", noting)
    return found


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
    def test_gradients_at_the_stored_latents(self, reference_model, seen, run, amount) -> None:
        latents = self.stored(f"{run}.edit_latents")[:3]
        self.edited(reference_model, run, amount=amount, latents=latents)
        for i, (gradient, _) in enumerate(seen):
            expected = self.stored(f"{run}.grad_step{i}").flip(0)
            assert noted(float((gradient[:, 0] - expected).norm() / expected.norm())) < 1e-5
        assert len(seen) == len(latents)

    @pytest.mark.parametrize(("run", "amount"), [("real10", 0.1), ("synth10", 0.15)])
    def test_losses_and_latents(self, reference_model, seen, run, amount) -> None:
        states = self.edited(reference_model, run, amount=amount)
        losses = torch.stack([losses.sum() for _, losses in seen]).double()
        torch.testing.assert_close(losses, self.stored(f"{run}.loss"), rtol=1e-5, atol=0)
        for state, expected in zip(states, self.stored(f"{run}.edit_latents")[1:], strict=True):
            assert world.relative(state[0], expected) < 1e-4

    @pytest.mark.parametrize("target", ["conditional", "mean", "original"])
    def test_the_other_update_targets(self, reference_model, seen, target) -> None:
        name = f"real10_carry_{target.replace('conditional', 'cond')}"  # as the stored tensors are called
        states = self.edited(reference_model, "real10", update_target=target)
        for state, expected in zip(states, self.stored(f"{name}.edit_latents_1_2_3"), strict=False):
            assert world.relative(state[0], expected) < 1e-4
        losses = torch.stack([losses.sum() for _, losses in seen]).double()
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
        from appearance_transfer.host.matching.cross_attention_maps import MapRecorder
        from appearance_transfer.host.runtime.gradients import autograd_inside
        from appearance_transfer.host.runtime.model_runner import run_guider

        guider = guiding(model, negative=world.prompt(NEGATIVE))
        x = world.latents(5) * 3

        def body(denoise, x0):
            network, options = guider.inner_model, guider.model_options
            sigma = torch.full((1,), self.SIGMA)
            with autograd_inside(network):
                reference = MapRecorder(guider.blocks)
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


class TestWhatMustBeEqual:
    @pytest.mark.parametrize("dtype", [torch.float32, torch.float16])
    @pytest.mark.parametrize("negative", [None, NEGATIVE])
    def test_amount_0_is_the_plain_guider(self, model, inversion, dtype, negative) -> None:
        typed = model.clone()
        typed.set_model_compute_dtype(dtype)
        ours = edit(typed, inversion, amount=0.0, negative=negative and world.prompt(negative))
        assert torch.equal(ours, plain(typed, inversion, negative=negative or ORIGINAL))

    def test_the_same_text_is_the_reconstruction(self, model, inversion) -> None:
        from appearance_transfer.editing.direction import EditDirection
        from appearance_transfer.host.editing.text_encoding import apply_direction

        direction = EditDirection(world.prompt(4)[0][0])
        edited = apply_direction(world.prompt(ORIGINAL), direction, 0.0)
        ours = edit(model, inversion, edited=edited, negative=world.prompt(NEGATIVE))
        assert torch.equal(ours, plain(model, inversion, positive=ORIGINAL, negative=NEGATIVE))
        assert not torch.equal(edit(model, inversion, negative=world.prompt(NEGATIVE)), ours)

    def test_computed_all_the_same_it_is_that_but_for_rounding(self, model, inversion, seen, monkeypatch) -> None:
        from appearance_transfer.host.editing import cross_attention_guider

        monkeypatch.setattr(cross_attention_guider, "same_text", lambda one, other: False)
        ours = edit(model, inversion, edited=world.prompt(ORIGINAL), negative=world.prompt(NEGATIVE))
        assert len(seen) == STEPS
        assert not any(found.any() for found in seen[0])
        assert max(float(losses.max()) for _, losses in seen) < 1e-8
        assert world.relative(ours, plain(model, inversion, positive=ORIGINAL, negative=NEGATIVE)) < 1e-5

    @pytest.mark.parametrize("negative", [None, NEGATIVE])
    def test_stored_maps_are_the_recomputed_ones(self, model, inversion, negative) -> None:
        options = {"negative": negative and world.prompt(negative)}
        ours = edit(model, inversion, stored=True, **options)
        assert 0 < world.relative(ours, edit(model, inversion, **options)) < 1e-3

    @pytest.mark.parametrize("target", ["negative", "conditional", "mean", "original"])
    def test_the_samplers_agree(self, model, inversion, target) -> None:
        """Up to the last prediction; the last step ends elsewhere in replay (inversion/schedule.py)."""
        import comfy.samplers
        from appearance_transfer.host.models.schedules import sigmas_tensor
        from appearance_transfer.host.transfer.noise_map_sampler import NoiseMapSampler

        start = model.get_model_object("latent_format").process_out(inversion.start)
        last = []
        for sampler in (NoiseMapSampler(inversion), *map(comfy.samplers.sampler_object, ("euler", "ddim"))):
            seen = []
            with torch.inference_mode():
                guiding(model, update_target=target).sample(
                    torch.zeros_like(start), start, sampler, sigmas_tensor(inversion.schedule), disable_pbar=True,
                    seed=0, callback=lambda i, denoised, x, total, seen=seen: seen.append(denoised.clone()),
                )  # fmt: skip
            last.append(seen[-1])
        assert world.relative(last[1], last[0]) < 1e-4
        assert world.relative(last[2], last[0]) < 1e-4

    def test_images_of_a_batch_are_as_if_alone(self, model) -> None:
        images = world.latents(4, 2)
        together = edit(model, invert(model, images))
        alone = edit(model, invert(model, images[1:]))
        assert world.relative(together[1:], alone) < 1e-3


class TestControlNet:
    def test_it_reaches_the_edit_and_not_the_maps(self, host, model, inversion, seen) -> None:
        """ComfyUI adds what a ControlNet says in place, which gradients do not survive."""
        from appearance_transfer.tests.host.neighbors import controlled

        plain = edit(model, inversion)
        with torch.inference_mode():
            texts = [controlled(host.nodes, world.prompt(number)) for number in (ORIGINAL, EDITED)]
        steered = edit(model, inversion, positive=texts[0], edited=texts[1])
        assert world.relative(steered, plain) > 1e-2
        gradient, losses = seen[0]
        assert torch.equal(seen[STEPS][0], gradient)
        assert torch.equal(seen[STEPS][1], losses)


class TestResult:
    def test_every_target_and_every_downscale_has_a_result_of_its_own(self, model, inversion) -> None:
        targets = ("negative", "conditional", "mean", "original")
        results = [edit(model, inversion, update_target=target) for target in targets]
        results += [edit(model, inversion, downscales=downscales) for downscales in ((1,), (2, 4))]
        for i, one in enumerate(results):
            assert all(world.relative(one, other) > 1e-6 for other in results[:i])

    @pytest.mark.parametrize(
        ("options", "evaluations"), [({}, 5), ({"negative": NEGATIVE}, 6), ({"stored": True}, 5), ({"amount": 0.0}, 2)]
    )
    def test_what_it_costs(self, model, inversion, options, evaluations) -> None:
        counted = model.clone()
        counter = world.count_evaluations(counted)
        if "negative" in options:
            options = options | {"negative": world.prompt(options["negative"])}
        edit(counted, inversion, **options)
        assert counter.samples == evaluations * STEPS

    @pytest.mark.parametrize(("prediction", "bounded"), [("EPS", False), ("V_PREDICTION", True)])
    def test_v_prediction_cannot_explode(self, host, prediction, bounded) -> None:
        with torch.inference_mode():
            other = world.small_model(prediction=prediction)
        inversion = invert(other)
        one, more = (edit(other, inversion, amount=amount) for amount in (1e4, 1e6))
        assert torch.equal(one, more) == bounded
        if bounded:
            assert float(one.abs().max()) < 10 * float(plain(other, inversion).abs().max())


class TestWhatIsLeft:
    def interrupted(self, model, inversion):
        """A run that a user cancels in its third step, and its guider."""
        import comfy.model_management
        from appearance_transfer.host.editing import cross_attention_guider

        guider, real, calls = guiding(model), cross_attention_guider.attention_gradient, []

        def canceled(*args):
            calls.append(args)
            if len(calls) == 3:
                raise comfy.model_management.InterruptProcessingException
            return real(*args)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(cross_attention_guider, "attention_gradient", canceled)
            with pytest.raises(comfy.model_management.InterruptProcessingException):
                world.sample(model, inversion, guider=guider)
        return guider

    @pytest.mark.parametrize("canceled", [False, True])
    def test_the_model_is_as_it_was(self, model, inversion, canceled) -> None:
        import comfy.model_management

        before = {name: tensor.clone() for name, tensor in model.model.state_dict().items()}
        options, image = str(model.model_options), plain(model, inversion)
        if canceled:
            self.interrupted(model, inversion)
        else:
            edit(model, inversion)
        after = model.model.state_dict()
        assert before.keys() == after.keys()
        assert all(torch.equal(after[name], tensor) for name, tensor in before.items())
        assert not any(parameter.requires_grad for parameter in model.model.parameters())
        assert str(model.model_options) == options
        assert not comfy.model_management.in_training
        assert torch.equal(plain(model, inversion), image)

    def test_a_guider_starts_anew(self, model, inversion) -> None:
        again = world.sample(model, inversion, guider=self.interrupted(model, inversion))
        assert torch.equal(again, edit(model, inversion))

    def test_no_graph_stays_alive(self, model, inversion) -> None:
        def graphs() -> int:
            gc.collect()
            return sum(torch.is_tensor(found) and found.requires_grad for found in gc.get_objects())

        before = graphs()
        guider = guiding(model)
        world.sample(model, inversion, guider=guider)
        assert graphs() == before

    def test_the_latent_of_other_nodes_is_not_moved(self, model, inversion) -> None:
        """ComfyUI hands an empty latent through as it is."""
        latent = torch.zeros(1, *world.SIZE)
        world.sample(model, inversion, guider=guiding(model), latent=latent)
        assert not latent.any()


class TestRefusals:
    @pytest.mark.parametrize("name", ["euler_ancestral", "heun", "dpmpp_2m", "dpm_2"])
    def test_samplers_of_other_steps(self, model, inversion, name) -> None:
        import comfy.samplers

        with pytest.raises(ValueError, match="does not take plain DDIM steps"):
            world.sample(
                model, inversion, guider=guiding(model), sampler=comfy.samplers.sampler_object(name)
            )  # fmt: skip

    def test_noise_maps(self, model) -> None:
        inversion = world.invert(model, world.latents(3))
        with pytest.raises(ValueError, match="with a DDIM inversion"):
            world.sample(model, inversion, guider=guiding(model))

    def test_a_noise_mask(self, model, inversion) -> None:
        mask = torch.zeros(1, 1, *world.SIZE[1:])
        mask[..., :8] = 1
        with pytest.raises(ValueError, match="without a noise mask"):
            world.sample(model, inversion, guider=guiding(model), noise_mask=mask)

    @pytest.mark.parametrize(
        ("texts", "named"),
        [
            ({"edited": world.prompt(3) + world.prompt(4)}, "edited CONDITIONING holds 2 entries"),
            ({"negative": [[world.prompt(2)[0][0], {"area": (8, 8, 0, 0)}]]}, "negative CONDITIONING .* for an area"),
            (
                {"edited": [[world.prompt(3)[0][0], {"start_percent": 0.5}]]},
                "edited CONDITIONING .* a part of the steps",
            ),
            ({"positive": []}, "positive CONDITIONING holds 0 entries"),
            ({"edited": [[world.prompt(3)[0][0].repeat(1, 2, 1), {}]]}, "has 154 tokens and the positive one 77"),
        ],
    )
    def test_texts_that_cannot_be_compared(self, model, texts, named) -> None:
        from appearance_transfer.host.editing.cross_attention_guider import CrossAttentionGuider, CrossAttentionSettings

        all_texts = {"positive": world.prompt(1), "edited": world.prompt(3), "negative": None} | texts
        with pytest.raises(ValueError, match=named):
            CrossAttentionGuider(model, **all_texts, settings=CrossAttentionSettings())

    def test_a_downscale_that_is_not_there(self, model) -> None:
        with pytest.raises(ValueError, match="no cross-attention at downscale 8, only at 1, 2, 4"):
            guiding(model, downscales=(2, 8))

    def test_quantized_weights(self, host) -> None:
        quantized = world.small_model()
        layer = quantized.model.diffusion_model.middle_block[1].transformer_blocks[0].attn1.to_q
        layer.weight = torch.nn.Parameter(layer.weight.to(torch.float8_e4m3fn), requires_grad=False)
        with pytest.raises(ValueError, match="quantized"):
            guiding(quantized)


class TestNode:
    def test_its_defaults_are_the_released_code_s(self, host, model, inversion) -> None:
        from appearance_transfer.host.editing.cross_attention_guider import CrossAttentionSettings

        node = host.nodes["AppearanceTransfer_CrossAttentionGuider"]
        defaults = {
            one.id: one.default
            for one in node.define_schema().inputs
            if one.id in ("cfg", "amount", "reference_maps", "downscales", "preset")
        }
        (guider,) = node.execute(model, world.prompt(ORIGINAL), world.prompt(EDITED), **defaults).args
        assert guider.settings == CrossAttentionSettings()
        assert torch.equal(world.sample(model, inversion, guider=guider), edit(model, inversion))

    def test_the_preset_of_the_reference_code_has_no_bound(self, host, model) -> None:
        node = host.nodes["AppearanceTransfer_CrossAttentionGuider"]
        texts = world.prompt(ORIGINAL), world.prompt(EDITED)
        (guider,) = node.execute(model, *texts, 5.0, 0.1, "recompute", "all", "reference code").args
        assert not guider.settings.bounded

    @pytest.mark.parametrize(("text", "downscales"), [("all", None), (" ALL ", None), ("2, 4", (2, 4)), ("1", (1,))])
    def test_downscales_as_people_write_them(self, host, text, downscales) -> None:
        from appearance_transfer.host.models.unet import parse_downscales

        assert parse_downscales(text) == downscales

    @pytest.mark.parametrize("text", ["", "fine", "2;4", "-1"])
    def test_downscales_that_are_none(self, host, text) -> None:
        from appearance_transfer.host.models.unet import parse_downscales

        with pytest.raises(ValueError, match="write 'all', or some of 1, 2, 4, 8"):
            parse_downscales(text)
