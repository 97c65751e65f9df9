"""Cross-attention guidance as a GUIDER: what must be equal, what it leaves behind, what it refuses."""

import gc

import pytest
import torch
from appearance_transfer.tests.host import small_world as world
from appearance_transfer.tests.host.guided_edits import EDITED, NEGATIVE, ORIGINAL, STEPS, edit, guiding, invert, plain


@pytest.fixture(scope="module")
def model(host):
    with torch.inference_mode():  # as ComfyUI makes its weights
        return world.small_model()


@pytest.fixture(scope="module")
def inversion(model):
    return invert(model)


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

    def test_computed_all_the_same_it_is_that_but_for_rounding(
        self, model, inversion, gradient_passes, monkeypatch
    ) -> None:
        from appearance_transfer.host.editing import cross_attention_guider

        monkeypatch.setattr(cross_attention_guider, "same_text", lambda one, other: False)
        ours = edit(model, inversion, edited=world.prompt(ORIGINAL), negative=world.prompt(NEGATIVE))
        assert len(gradient_passes) == STEPS
        assert not any(found.any() for found in gradient_passes[0])
        assert max(float(losses.max()) for _, losses in gradient_passes) < 1e-8
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
    def test_it_reaches_the_edit_and_not_the_maps(self, host, model, inversion, gradient_passes) -> None:
        """ComfyUI adds what a ControlNet says in place, which gradients do not survive."""
        from appearance_transfer.tests.host.neighbors import controlled

        plain = edit(model, inversion)
        with torch.inference_mode():
            texts = [controlled(host.nodes, world.prompt(number)) for number in (ORIGINAL, EDITED)]
        steered = edit(model, inversion, positive=texts[0], edited=texts[1])
        assert world.relative(steered, plain) > 1e-2
        gradient, losses = gradient_passes[0]
        assert torch.equal(gradient_passes[STEPS][0], gradient)
        assert torch.equal(gradient_passes[STEPS][1], losses)


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
