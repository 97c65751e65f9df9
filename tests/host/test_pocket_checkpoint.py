"""The pocket checkpoint through ComfyUI's stock nodes, in both precisions."""

import pytest
import torch


def sampled(host, precision: str, text: str, size: int = 128) -> torch.Tensor:
    """An image from noise by stock nodes only: CLIPTextEncode, KSampler, VAEDecode."""
    graph = {
        "checkpoint": {
            "class_type": "AppearanceTransfer_LoadPocketCheckpoint",
            "inputs": {"network": f"U-Net {size} px", "precision": precision},
        },
        "text": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["checkpoint", 1]}},
        "no text": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["checkpoint", 1]}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": size, "height": size, "batch_size": 1}},
        "sample": {
            "class_type": "KSampler",
            "inputs": {
                "model": ["checkpoint", 0],
                "positive": ["text", 0],
                "negative": ["no text", 0],
                "latent_image": ["latent", 0],
                "seed": 1,
                "steps": 20,
                "cfg": 3.0,
                "sampler_name": "euler",
                "scheduler": "ddim_uniform",
                "denoise": 1.0,
            },
        },
        "decode": {"class_type": "VAEDecode", "inputs": {"samples": ["sample", 0], "vae": ["checkpoint", 2]}},
    }
    return host.run(graph, image=("decode", 0)).image


@pytest.mark.parametrize(
    ("color", "strongest", "size"), [("red", 0, 128), ("green", 1, 128), ("blue", 2, 128), ("green", 1, 256)]
)
def test_a_caption_is_obeyed(host, color, strongest, size) -> None:
    """The body of "a plain <color> elephant" has that color: text encoder, network and VAE work together."""
    from appearance_transfer.pocket.scene import PARTS
    from appearance_transfer.pocket.segmenter import segment_parts

    image = sampled(host, "fp32", f"a photo of a plain {color} elephant on sand", size)
    body = image[0][segment_parts(image)[0] == PARTS.index("body")]
    assert len(body) > 500 * (size / 128) ** 2
    assert body.mean(0).argmax() == strongest


def test_half_precision_makes_the_same_image(host) -> None:
    text = "a photo of a plain red horse on grass"
    full, half = sampled(host, "fp32", text), sampled(host, "fp16", text)
    assert torch.isfinite(half).all()
    assert (full - half).abs().mean() < 0.02


def test_an_unknown_network_is_refused(host) -> None:
    from appearance_transfer.host.models.pocket_checkpoint import load_pocket_checkpoint

    with pytest.raises(ValueError, match="choose one of 'U-Net 128 px', 'U-Net 256 px'"):
        load_pocket_checkpoint("fp32", "U-Net 512 px")
