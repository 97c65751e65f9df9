"""The lean training copies compute what ComfyUI's modules compute from the same weights."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.pocket.autoencoder import Autoencoder, host_tensors
from appearance_transfer.pocket.captions import caption
from appearance_transfer.pocket.checkpoint_file import read_checkpoint
from appearance_transfer.pocket.diffusion import alpha_bars
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.pocket.text import TextConfig, TextEncoder, expand_vocabulary, tokenize
from appearance_transfer.pocket.unet import UNet, UNetConfig

SMALL = UNetConfig(model_channels=32, channel_mult=(1, 2, 4))
TOLERANCE = 2e-5  # fp32, torch 2.11; the two order some sums differently


def shaken(module: torch.nn.Module, seed: int = 0) -> torch.nn.Module:
    """The module with no weight left at zero, so that every path counts."""
    torch.manual_seed(seed)
    for parameter in module.parameters():
        parameter.data += 0.05 * torch.randn_like(parameter)
    return module.eval().requires_grad_(False)


@pytest.mark.parametrize("config", [SMALL, UNetConfig()], ids=["small", "pocket"])
def test_unet(host, config):
    import comfy.ops
    from comfy.ldm.modules.diffusionmodules.openaimodel import UNetModel

    ours = shaken(UNet(config))
    theirs = UNetModel(**config.host_arguments(), dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    assert theirs.load_state_dict(ours.state_dict(), strict=True)
    x, context = torch.randn(2, 4, 16, 16), torch.randn(2, 77, config.context_dim)
    times = torch.tensor([3, 901])
    with torch.no_grad():
        expected, found = theirs(x, times, context), ours(x, times, context)
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


def test_host_detects_the_same_sizes_from_the_weights(host):
    import comfy.model_detection

    state = {f"model.diffusion_model.{k}": v for k, v in UNet(SMALL).state_dict().items()}
    detected = comfy.model_detection.detect_unet_config(state, "model.diffusion_model.")
    expected = SMALL.host_arguments()
    for name in ("model_channels", "num_res_blocks", "channel_mult", "context_dim", "transformer_depth"):
        assert list(_flat(detected[name])) == list(_flat(expected[name])), name


def test_text_encoder(host):
    import comfy.sd1_clip

    ours = shaken(TextEncoder(TextConfig()))
    options = {"clip_l_model_config": ours.config.as_dict()}
    theirs = comfy.sd1_clip.SD1ClipModel(device="cpu", dtype=torch.float32, model_options=options).clip_l
    state = ours.state_dict()
    rows = "text_model.embeddings.token_embedding.weight"
    state[rows] = expand_vocabulary(state[rows])
    missing, unexpected = theirs.transformer.load_state_dict(state, strict=False)
    assert not unexpected and missing == ["text_projection.weight"]
    text = caption(random_scene(1))
    with torch.no_grad():
        expected, _ = theirs(tokenize([text, ""]).tolist())
        found = ours(tokenize([text, ""]))
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


@pytest.mark.parametrize(
    "text", ["", "a photo of a saddled cyan giraffe on rock", *(caption(random_scene(i)) for i in range(8))]
)
def test_token_ids(host, text):
    from comfy.sd1_clip import SD1Tokenizer

    pairs = SD1Tokenizer().tokenize_with_weights(text)["l"]
    assert tokenize([text]).tolist() == [[token for token, _ in pairs[0]]]


def test_autoencoder_through_the_vae_of_the_host(host):
    import comfy.sd

    ours = shaken(Autoencoder())
    vae = comfy.sd.VAE(sd=host_tensors(ours.state_dict()))
    vae.throw_exception_if_invalid()
    inputs = torch.rand(2, 64, 64, 3)
    with torch.no_grad():
        latents = ours.encode(inputs.permute(0, 3, 1, 2))
        images = ours.decode(latents).clamp(0.0, 1.0).permute(0, 2, 3, 1)
    encoded = vae.encode(inputs) * 0.18215
    assert (encoded - latents).abs().max() <= 1e-4 * latents.abs().max()
    assert (vae.decode(latents / 0.18215) - images).abs().max() <= 1e-3


def test_noise_schedule(host):
    import comfy.model_sampling

    sampling = comfy.model_sampling.ModelSamplingDiscrete()
    bars = alpha_bars()
    assert torch.allclose(sampling.sigmas.double(), ((1 - bars) / bars).sqrt(), rtol=1e-5)


class TestTheCheckpointAsLoaded:
    """What the loader hands to every node, built from ComfyUI's configuration, is the network that was trained.

    The tests above build ComfyUI's modules from our own arguments; only these see what a configuration makes of them.
    """

    @pytest.fixture(scope="class", params=["fp32", "fp16"])
    def loaded(self, host, request):
        from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

        return load_pocket_checkpoint(request.param)

    @pytest.fixture(scope="class")
    def trained(self):
        return read_checkpoint().models()

    @pytest.mark.parametrize("time", [1, 101, 501, 981])
    def test_unet(self, loaded, trained, time):
        import comfy.model_management

        model, unet = loaded[0], trained[0]
        torch.manual_seed(time)
        latent, context = torch.randn(2, 4, 16, 16), torch.randn(2, 77, unet.config.context_dim)
        sigma = model.model.model_sampling.sigma(torch.tensor(float(time))).expand(2)
        noisy = latent * (1 + sigma[0] ** 2).sqrt()  # ComfyUI scales it to unit variance
        comfy.model_management.load_models_gpu([model])
        with torch.no_grad():
            expected = unet(latent, torch.tensor([time, time]), context)
            denoised = model.model.apply_model(noisy, sigma, c_crossattn=context)
        found = (noisy - denoised) / sigma[0]
        rounding = 2e-6 * noisy.abs().max() / sigma[0]  # of the difference above
        assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max() + rounding

    def test_text_encoder(self, loaded, trained):
        texts = [caption(random_scene(seed)) for seed in range(3)] + [""]
        with torch.no_grad():
            for text in texts:
                found = loaded[1].encode_from_tokens_scheduled(loaded[1].tokenize(text))[0][0]
                expected = trained[1](tokenize([text]))
                assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()

    def test_encoding_and_decoding(self, loaded, trained):
        images = render([random_scene(seed) for seed in range(2)], 128).image
        with torch.no_grad():
            latents = trained[2].encode(images.permute(0, 3, 1, 2))
            decoded = trained[2].decode(latents).clamp(0.0, 1.0).permute(0, 2, 3, 1)
        assert (loaded[2].encode(images) * 0.18215 - latents).abs().max() <= 1e-4 * latents.abs().max()
        assert (loaded[2].decode(latents / 0.18215) - decoded).abs().max() <= 1e-4


def _flat(value):
    return value if isinstance(value, (list, tuple)) else [value]
