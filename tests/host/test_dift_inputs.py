"""DIFT: samples of the posterior, the node, and inputs that it refuses."""

from types import SimpleNamespace

import pytest
import torch
from appearance_transfer.correspondence.dift import DiftSettings
from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK
from appearance_transfer.tests.host.dift_readings import features
from appearance_transfer.tests.host.small_world import (
    latents,
    small_model,
)


@pytest.fixture(scope="module")
def model(host):
    return small_model()


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
        "checkpoint": {
            "class_type": "AppearanceTransfer_LoadPocketCheckpoint",
            "inputs": {"network": DEFAULT_NETWORK, "precision": "fp32"},
        },
        "image": {"class_type": "EmptyImage", "inputs": {"width": 64, "height": 48, "batch_size": 2, "color": 255}},
        "text": {"class_type": "CLIPTextEncode", "inputs": {"clip": ["checkpoint", 1], "text": ""}},
        "latent": {"class_type": "VAEEncode", "inputs": {"pixels": ["image", 0], "vae": ["checkpoint", 2]}},
    }
    PARAMETERS = {"seed": 42, "timestep": 500, "up_block": 0, "ensemble": 2, "posterior": "sample"}
    IMAGE = {"image": ["image", 0], "vae": ["checkpoint", 2]}

    def features(self, host, preset: str, **connected):
        inputs = {
            "model": ["checkpoint", 0],
            "positive": ["text", 0],
            "feature_preset": preset,
            **self.PARAMETERS,
            **connected,
        }
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
