"""The pocket checkpoint through ComfyUI's stock nodes, in both precisions."""

import pytest
import torch


def sampled(host, precision: str, text: str) -> torch.Tensor:
    """An image from noise by stock nodes only: CLIPTextEncode, KSampler, VAEDecode."""
    graph = {
        "checkpoint": {
            "class_type": "AppearanceTransfer_LoadPocketCheckpoint",
            "inputs": {"precision": precision},
        },
        "text": {"class_type": "CLIPTextEncode", "inputs": {"text": text, "clip": ["checkpoint", 1]}},
        "no text": {"class_type": "CLIPTextEncode", "inputs": {"text": "", "clip": ["checkpoint", 1]}},
        "latent": {"class_type": "EmptyLatentImage", "inputs": {"width": 128, "height": 128, "batch_size": 1}},
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


@pytest.mark.parametrize(("color", "strongest"), [("red", 0), ("green", 1), ("blue", 2)])
def test_a_caption_is_obeyed(host, color, strongest) -> None:
    """The body of "a plain <color> elephant" has that color: text encoder, network and VAE work together."""
    from appearance_transfer.pocket.scene import PARTS
    from appearance_transfer.pocket.segmenter import segment_parts

    image = sampled(host, "fp32", f"a photo of a plain {color} elephant on sand")
    body = image[0][segment_parts(image)[0] == PARTS.index("body")]
    assert len(body) > 500
    assert body.mean(0).argmax() == strongest


def test_half_precision_makes_the_same_image(host) -> None:
    text = "a photo of a plain red horse on grass"
    full, half = sampled(host, "fp32", text), sampled(host, "fp16", text)
    assert torch.isfinite(half).all()
    assert (full - half).abs().mean() < 0.02
