"""DIFT on the real ComfyUI: what is read, from where, and that nothing stays behind."""

import pytest
import torch
from appearance_transfer.correspondence.dift import DiftSettings
from appearance_transfer.tests.host.dift_readings import SETTINGS, UP_BLOCKS, features, forward, hooks
from appearance_transfer.tests.host.small_world import (
    count_evaluations,
    invert,
    latents,
    prompt,
    relative,
    sample,
    small_model,
)


@pytest.fixture(scope="module")
def model(host):
    return small_model()


class TestWhatIsRead:
    @pytest.mark.parametrize(("config", "outputs"), [row[1:] for row in UP_BLOCKS], ids=[row[0] for row in UP_BLOCKS])
    def test_the_shapes_of_the_paper(self, host, config, outputs) -> None:
        """Spec 4.1, on networks without weights; SD2.1 as SD1.5."""
        import comfy.ops
        from appearance_transfer.host.matching.dift_features import _outputs_of
        from appearance_transfer.host.models.unet import up_block_ends
        from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

        with torch.device("meta"), torch.inference_mode():
            unet = UNetModel(**config, dtype=torch.float32, device="meta", operations=comfy.ops.disable_weight_init)
            x, t = torch.zeros(1, 4, 64, 64), torch.zeros(1)
            context = torch.zeros(1, 77, config["context_dim"])
            y = torch.zeros(1, config["adm_in_channels"]) if config.get("num_classes") else None
            options = {"optimized_attention_override": lambda attention, q, *rest, **words: q}  # which asks for memory
            shapes = [
                tuple(
                    _outputs_of([layer], lambda: unet(x, t, context=context, y=y, transformer_options=options))[
                        0
                    ].shape[1:]
                )
                for layer in up_block_ends(unet)
            ]
        outputs = outputs or UP_BLOCKS[0][2]
        assert shapes == [(channels, 64 // factor, 64 // factor) for channels, factor in outputs]

    @pytest.mark.parametrize("up_block", [0, 1])
    def test_it_is_what_enters_the_block_behind(self, model, up_block) -> None:
        """ComfyUI's own patch sees the same features, look by look; so they include the upsampler."""
        from appearance_transfer.host.runtime.model_runner import run_with_model

        seen = []
        clone = model.clone()
        clone.set_model_output_block_patch(
            lambda h, hsp, options: seen.append(h) or (h, hsp) if options["block"] == ("output", behind) else (h, hsp)
        )
        behind = 2 * up_block + 2
        settings = DiftSettings(timestep=400, up_block=up_block, ensemble=1)
        found = features(model, latents(0), settings)
        sigma = model.get_model_object("model_sampling").sigmas[400]
        noise = torch.randn(1, 4, 16, 16, generator=torch.Generator().manual_seed(settings.seed))

        with torch.inference_mode():
            run_with_model(
                clone, latents(0), lambda denoise, x0: denoise(x0 + sigma * noise, sigma),
                positive=prompt(1), negative=prompt(1), guidance=1.0, sigmas=torch.tensor([1.0, 0.0]),
            )  # fmt: skip
        torch.testing.assert_close(found.values, seen[0])

    def test_source_and_grid_are_told(self, model) -> None:
        found = features(model, latents(0, images=2))
        assert found.grid == (16, 16)
        assert found.image == (128, 128)
        assert found.source["kind"] == "DIFT"
        assert (found.source["timestep"], found.source["up_block"], found.source["ensemble"]) == ("261", "1", "3")

    def test_other_models_and_settings_are_other_sources(self, model, host) -> None:
        ours = features(model, latents(0)).source
        assert ours == features(model, latents(1)).source
        assert ours != features(small_model(seed=1), latents(0)).source
        assert ours != features(model, latents(0), DiftSettings(timestep=100, ensemble=3)).source

    def test_the_same_image_matches_itself(self, model) -> None:
        """Spec section 8, check 9, on the finest grid: every position finds itself, in another batch, too."""
        from appearance_transfer.correspondence.match import match

        images = latents(0, images=2)
        settings = DiftSettings(timestep=261, up_block=1, ensemble=2)
        once, again = features(model, images, settings), features(model, images[:1], settings)
        found = match(again, features(model, images[:1], settings))
        assert torch.equal(found.best[0].flatten(), torch.arange(256))
        torch.testing.assert_close(once.values[:1], again.values, rtol=1e-4, atol=1e-5)

    @pytest.mark.parametrize("batch", [1, 2, 5])
    def test_the_batch_does_not_matter(self, model, batch) -> None:
        images = latents(0, images=2)
        ours = features(model, images, DiftSettings(ensemble=3, batch=batch)).values
        assert relative(ours, features(model, images, SETTINGS).values) < 1e-5

    def test_only_the_text_of_the_conditioning_counts(self, model) -> None:
        (text, extras), *_ = prompt(1)
        area = [[text, extras | {"area": (8, 8, 0, 0), "strength": 0.3, "start_percent": 0.9, "end_percent": 1.0}]]
        assert torch.equal(features(model, latents(0), positive=area).values, features(model, latents(0)).values)
        other = features(model, latents(0), positive=prompt(3)).values
        assert relative(other, features(model, latents(0)).values) > 1e-3


class TestNothingStaysBehind:
    def test_the_model_is_as_it_was(self, model) -> None:
        before = forward(model)
        features(model, latents(0))
        assert torch.equal(forward(model), before)
        assert hooks(model) == 0
        assert model.model.current_patcher is None

    def test_an_interrupt_leaves_nothing(self, model, monkeypatch) -> None:
        import comfy.model_management

        before = forward(model)
        comfy.model_management.interrupt_current_processing(True)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            features(model, latents(0))
        assert hooks(model) == 0
        assert torch.equal(forward(model), before)

    def test_clones_do_not_know_of_each_other(self, model) -> None:
        one, other = model.clone(), model.clone()
        plain = features(one, latents(0)).values
        other.set_model_output_block_patch(lambda h, hsp, options: (h * 2, hsp))
        assert torch.equal(features(other, latents(0)).values, plain), "patches of a MODEL are left out"
        assert torch.equal(features(one, latents(0)).values, plain)

    def test_a_network_that_never_runs_its_decoder_is_told(self, model) -> None:
        from appearance_transfer.host.matching.dift_features import _outputs_of

        layer = torch.nn.Identity()
        with pytest.raises(ValueError, match="without its own decoder"):
            _outputs_of([layer], lambda: None)
        assert not layer._forward_hooks


class TestInsideARun:
    def test_the_run_does_not_notice(self, model) -> None:
        """Features are taken at every step of a run, from its own prediction, under its own prompt and patches."""
        from appearance_transfer.host.matching.dift_features import dift_of_x0

        inversion = invert(model, latents(0))
        plain = sample(model, inversion)
        seen = []

        def record(args):
            found = dift_of_x0(
                args["model"], args["denoised"], args["cond"], DiftSettings(ensemble=2), args["model_options"]
            )
            seen.append(found)
            return args["denoised"]

        looking = model.clone()
        looking.set_model_sampler_post_cfg_function(record)
        counter = count_evaluations(looking)
        assert torch.equal(sample(looking, inversion), plain)
        steps = inversion.schedule.steps
        assert len(seen) == steps
        assert counter.samples == steps * (1 + 2), "one row for the step and one for each look"
        assert hooks(model) == 0

    def test_it_is_what_the_node_gives(self, model) -> None:
        from appearance_transfer.host.matching.dift_features import dift_of_x0
        from appearance_transfer.host.models.conditioning import processed_prompt
        from appearance_transfer.host.runtime.model_runner import run_with_model

        def body(denoise, x0):
            text = processed_prompt(model.model, prompt(1), x0, 0)
            return dift_of_x0(model.model, x0, text, SETTINGS, model.model_options)

        with torch.inference_mode():
            inside = run_with_model(
                model, latents(0), body, positive=prompt(1), negative=prompt(1), guidance=1.0,
                sigmas=torch.tensor([1.0, 0.0]),
            )  # fmt: skip
        assert torch.equal(inside, features(model, latents(0)).values)
