"""The pocket transformer: our plain copy is ComfyUI's Flux, and the checkpoint loads into ordinary MODEL and CLIP."""

import pytest
import torch
from appearance_transfer.pocket.checkpoint import TRANSFORMER_CHECKPOINT
from appearance_transfer.pocket.checkpoint_file import read_checkpoint
from appearance_transfer.pocket.flow import SHIFT, shifted
from appearance_transfer.pocket.text import tokenize
from appearance_transfer.pocket.transformer import Transformer, TransformerConfig

TOLERANCE = 2e-5  # fp32, torch 2.11; the two order some sums differently
SMALL = TransformerConfig(hidden_size=64, num_heads=2, depth=1, depth_single_blocks=2, axes_dim=(8, 12, 12))


@pytest.fixture(scope="module")
def checkpoint():
    return read_checkpoint(TRANSFORMER_CHECKPOINT)


@pytest.fixture(scope="module")
def loaded(host):
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint
    from appearance_transfer.pocket.checkpoint import TRANSFORMER_NETWORK

    return load_pocket_checkpoint("fp32", TRANSFORMER_NETWORK)


def test_our_copy_is_the_flux_of_comfyui(host) -> None:
    import comfy.ops
    from comfy.ldm.flux.model import Flux

    torch.manual_seed(0)
    ours = Transformer(SMALL)
    for parameter in ours.parameters():  # none left at zero, so that every path counts
        parameter.data += 0.05 * torch.randn_like(parameter)
    theirs = Flux(**SMALL.host_arguments(), dtype=torch.float32, operations=comfy.ops.disable_weight_init)
    assert theirs.load_state_dict(ours.state_dict(), strict=True)
    x, sigma, context = torch.randn(2, 4, 8, 12), torch.tensor([0.1, 0.8]), torch.randn(2, 5, SMALL.context_dim)
    with torch.no_grad():
        expected, found = theirs(x, sigma, context), ours(x, sigma, context)
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


@pytest.mark.parametrize("sigma", [0.05, 0.5, 0.95])
def test_the_model_that_is_loaded_is_the_network_that_was_trained(loaded, checkpoint, sigma) -> None:
    import comfy.model_management

    model, network = loaded[0], checkpoint.models()[0]
    torch.manual_seed(1)
    x, context = torch.randn(2, 4, 32, 32), torch.randn(2, 16, 64)
    level = torch.full((2,), sigma)
    comfy.model_management.load_models_gpu([model])
    with torch.no_grad():
        expected = x - sigma * network(x, level, context)
        found = model.model.apply_model(x, level, c_crossattn=context)
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


def test_noise_levels_are_those_of_the_trainer(loaded) -> None:
    sampling = loaded[0].get_model_object("model_sampling")
    for percent in (0.0, 0.25, 0.5, 0.9):
        assert sampling.percent_to_sigma(percent) == pytest.approx(
            float(shifted(torch.tensor(1 - percent), SHIFT)), rel=1e-3
        )


@pytest.mark.parametrize("text", ["a photo of a plain red horse on grass", ""])
def test_text_is_the_first_tokens_of_the_pocket_encoder(loaded, checkpoint, text) -> None:
    encoder = checkpoint.models()[1]
    found = loaded[1].encode_from_tokens_scheduled(loaded[1].tokenize(text))[0][0]
    with torch.no_grad():
        expected = encoder(tokenize([text]))[:, : checkpoint.transformer_config.text_tokens]
    assert found.shape == (1, 16, 64)
    assert (found - expected).abs().max() <= TOLERANCE * expected.abs().max()


def test_a_caption_is_obeyed(host) -> None:
    """Through ComfyUI's own nodes: 8 Euler steps paint the body in the named color."""
    from appearance_transfer.pocket.checkpoint import TRANSFORMER_NETWORK
    from appearance_transfer.pocket.scene import PARTS
    from appearance_transfer.pocket.segmenter import segment_parts

    graph = {
        "checkpoint": {
            "class_type": "AppearanceTransfer_LoadPocketCheckpoint",
            "inputs": {"network": TRANSFORMER_NETWORK, "precision": "fp32"},
        },
        "text": {
            "class_type": "CLIPTextEncode",
            "inputs": {"text": "a photo of a plain blue elephant on sand", "clip": ["checkpoint", 1]},
        },
        "no text": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["checkpoint", 1]}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 256, "height": 256, "batch_size": 1}},
        "sample": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["checkpoint", 0], "positive": ["text", 0], "negative": ["no text", 0],
                "latent_image": ["latent", 0], "seed": 1, "steps": 8, "cfg": 3.0, "sampler_name": "euler",
                "scheduler": "simple", "denoise": 1.0,
            },
        },
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sample", 0], "vae": ["checkpoint", 2]}},
    }  # fmt: skip
    image = host.run(graph, image=("decode", 0)).image
    body = image[0][segment_parts(image)[0] == PARTS.index("body")]
    assert len(body) > 500
    assert body.mean(0).argmax() == 2
