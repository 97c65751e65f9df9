"""DIFT on the real ComfyUI: what is read, from where, and that nothing stays behind."""

from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.correspondence.dift import DiftSettings
from appearance_transfer.tests.host.small_world import (
    CONFIG,
    count_evaluations,
    invert,
    latents,
    prompt,
    relative,
    sample,
    small_model,
)
from appearance_transfer.tests.host.test_families import SD15, SDXL

SETTINGS = DiftSettings(timestep=261, up_block=1, ensemble=3, batch=8)
UP_BLOCKS = [  # of the network's input: channels and how much smaller the grid is
    ("SD1.5", SD15, [(1280, 4), (1280, 2), (640, 1), (320, 1)]),
    ("SD2.1", SD15 | {"num_heads": -1, "num_head_channels": 64, "context_dim": 1024}, None),
    ("SDXL", SDXL, [(1280, 2), (640, 1), (320, 1)]),
    ("small", CONFIG, [(64, 2), (64, 1), (32, 1)]),
]


@pytest.fixture(scope="module")
def model(host):
    return small_model()


def features(model, latent, settings=SETTINGS, positive=None):
    from appearance_transfer.host.matching.dift_features import dift_features

    with torch.inference_mode():
        return dift_features(model, latent, positive or prompt(1), settings)


def forward(model) -> torch.Tensor:
    """One plain forward of the network, bit for bit what any other node would get."""
    network = model.get_model_object("diffusion_model")
    with torch.inference_mode():
        return network(latents(9), torch.tensor([500.0]), context=prompt(1)[0][0], transformer_options={})


def hooks(model) -> int:
    network = model.get_model_object("diffusion_model")
    return sum(len(module._forward_hooks) + len(module._forward_pre_hooks) for module in network.modules())


class TestWhatIsRead:
    @pytest.mark.parametrize(("config", "outputs"), [row[1:] for row in UP_BLOCKS], ids=[row[0] for row in UP_BLOCKS])
    def test_the_shapes_of_the_paper(self, host, config, outputs) -> None:
        """Spec 4.1, on networks without weights; SD2.1 as SD1.5."""
        import comfy.ops
        from appearance_transfer.host.matching.dift_features import _output_of
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
                    _output_of(layer, lambda: unet(x, t, context=context, y=y, transformer_options=options)).shape[1:]
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
        from appearance_transfer.host.matching.dift_features import _output_of

        layer = torch.nn.Identity()
        with pytest.raises(ValueError, match="without its own decoder"):
            _output_of(layer, lambda: None)
        assert not layer._forward_hooks


class TestInsideARun:
    def test_the_run_does_not_notice(self, model) -> None:
        """Features are taken at every step of a run, from its own prediction, under its own prompt and patches."""
        from appearance_transfer.host.matching.dift_features import dift_of_x0

        inversion = invert(model, latents(0))
        plain = sample(model, inversion)
        seen = []

        def look(args):
            found = dift_of_x0(
                args["model"], args["denoised"], args["cond"], DiftSettings(ensemble=2), args["model_options"]
            )
            seen.append(found)
            return args["denoised"]

        looking = model.clone()
        looking.set_model_sampler_post_cfg_function(look)
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


class TestBadInput:
    def test_an_up_block_it_does_not_have(self, model) -> None:
        with pytest.raises(ValueError, match="Set up_block to at most 2"):
            features(model, latents(0), DiftSettings(up_block=3))

    def test_latents_of_another_kind(self, model) -> None:
        with pytest.raises(ValueError, match="4 latent channels"):
            features(model, torch.zeros(1, 16, 16, 16))

    def test_another_architecture(self, host) -> None:
        from appearance_transfer.host.runtime.supported import SUPPORTED

        stranger = SimpleNamespace(get_model_object=lambda name: torch.nn.Identity(), model_options={})
        with pytest.raises(ValueError, match=SUPPORTED[:20]):
            features(stranger, latents(0))

    def test_nothing_or_too_much_connected(self, host) -> None:
        from appearance_transfer.host.runtime.encoding import image_or_latent

        pixels, latent = torch.zeros(1, 16, 16, 3), {"samples": torch.zeros(1, 4, 2, 2)}
        for image, vae, samples, sentence in (
            (None, None, None, "Nothing to look at"),
            (pixels, None, None, "without a VAE"),
            (pixels, object(), latent, "Both an image and a latent"),
        ):
            with pytest.raises(ValueError, match=sentence):
                image_or_latent(image, vae, samples, 0, 0)


class TestPosterior:
    IMAGES = torch.rand(2, 32, 32, 3, generator=torch.Generator().manual_seed(0))

    @pytest.fixture(scope="class")
    def vae(self, host):
        """ComfyUI's VAE around a small random AutoencoderKL."""
        import comfy.sd
        from comfy.ldm.models.autoencoder import AutoencoderKL

        sizes = {"z_channels": 4, "resolution": 32, "in_channels": 3, "out_ch": 3, "ch": 32, "ch_mult": [1, 1, 1, 1]}
        rest = {"double_z": True, "num_res_blocks": 1, "attn_resolutions": [], "dropout": 0.0}
        config = {"embed_dim": 4, "ddconfig": sizes | rest}
        noise = torch.Generator().manual_seed(0)
        shapes = {name: weight.shape for name, weight in AutoencoderKL(**config).state_dict().items()}
        state = {name: 0.1 * torch.randn(shape, generator=noise) for name, shape in shapes.items()}
        return comfy.sd.VAE(sd=state, config={"params": config})

    def test_samples_lie_around_the_mean(self, vae) -> None:
        from appearance_transfer.host.runtime.encoding import posterior_samples

        with torch.inference_mode():
            mean = vae.encode(self.IMAGES)
            samples = posterior_samples(vae, self.IMAGES, 64, seed=1)
        assert samples.shape == (64, *mean.shape)
        spread = samples.std(0)
        assert spread.min() > 0
        assert ((samples.mean(0) - mean).abs() <= 5 * spread / 64**0.5).all()

    def test_the_vae_is_as_it_was(self, vae) -> None:
        from appearance_transfer.host.runtime.encoding import posterior_samples

        with torch.inference_mode():
            posterior_samples(vae, self.IMAGES, 2, seed=1)
        assert not vae.first_stage_model.regularization._forward_hooks

    def test_a_vae_without_a_posterior_gives_its_latent(self, host) -> None:
        from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint
        from appearance_transfer.host.runtime.encoding import posterior_samples

        vae = load_pocket_checkpoint()[2]
        with torch.inference_mode():
            assert torch.equal(posterior_samples(vae, self.IMAGES, 3, seed=1), vae.encode(self.IMAGES))

    def test_every_look_takes_its_sample(self, model) -> None:
        """Equal samples are one latent; the looks at unequal ones average."""
        latent = latents(0)
        assert torch.equal(features(model, latent.expand(3, 1, -1, -1, -1)).values, features(model, latent).values)
        with pytest.raises(ValueError, match="2 posterior samples"):
            features(model, latent.expand(2, 1, -1, -1, -1))


class TestNode:
    """In ComfyUI's executor, on the pocket checkpoint."""

    GRAPH = {
        "checkpoint": {"class_type": "AppearanceTransfer_LoadPocketCheckpoint", "inputs": {"precision": "fp32"}},
        "image": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 2, "color": 255}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": ""}},
        "latent": {"class_type": "VAEEncode", "inputs": {"pixels": ["image", 0], "vae": ["checkpoint", 2]}},
    }
    PARAMETERS = {"seed": 42, "timestep": 500, "up_block": 0, "ensemble": 2, "posterior": "sample", "batch": 8}
    IMAGE = {"image": ["image", 0], "vae": ["checkpoint", 2]}

    def features(self, host, preset: str, **connected):
        inputs = {"model": ["checkpoint", 0], "positive": ["text", 0], "preset": preset, **self.PARAMETERS, **connected}
        graph = self.GRAPH | {"dift": {"class_type": "AppearanceTransfer_DIFTFeatures", "inputs": inputs}}
        return host.run(graph, features=("dift", 0)).features

    def test_presets_and_parameters(self, host) -> None:
        from appearance_transfer.correspondence.dift import PRESETS

        for preset, where in (PRESETS | {"custom": {"timestep": 500, "up_block": 0}}).items():
            found = self.features(host, preset, **self.IMAGE)
            assert {name: int(found.source[name]) for name in where} == where
            assert found.images == 2
            assert found.image == (48, 64)

    def test_a_latent_is_as_good_as_its_image(self, host) -> None:
        """The pocket VAE has no posterior."""
        found = self.features(host, "pocket", latent=["latent", 0])
        assert found.image == (48, 64)
        assert torch.equal(found.values, self.features(host, "pocket", **self.IMAGE).values)
