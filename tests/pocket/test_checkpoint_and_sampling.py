"""Checkpoint files, words and samplers of the pocket networks, apart from their training."""

from __future__ import annotations

import json

import pytest
import torch
from appearance_transfer.pocket.autoencoder import Autoencoder
from appearance_transfer.pocket.checkpoint import CHECKPOINT, HEADER, write_checkpoint
from appearance_transfer.pocket.checkpoint_file import read_checkpoint
from appearance_transfer.pocket.diffusion import add_noise, alpha_bars, loss_weights, sample_ddim
from appearance_transfer.pocket.flow import sample_flow
from appearance_transfer.pocket.text import (
    CLIP_VOCABULARY,
    END,
    START,
    TextConfig,
    TextEncoder,
    expand_vocabulary,
    known_tokens,
    tokenize,
)
from appearance_transfer.pocket.unet import UNet, UNetConfig
from safetensors import safe_open
from safetensors.torch import load_file, save_file

OUT = "model.diffusion_model.out.2.weight"

SMALL = UNetConfig(model_channels=32, channel_mult=(1, 1), num_heads=2)


def test_a_flow_sampled_with_the_true_velocity_returns_the_image():
    x0 = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    noise = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(2))

    def velocity(x, sigma, context):
        return torch.cat([noise - x0] * 2)

    context = torch.zeros(2, 1, 1)
    assert torch.allclose(sample_flow(velocity, noise, context, context, steps=5), x0, atol=1e-5)


def test_checkpoint_comes_back_as_written(tmp_path):
    torch.manual_seed(0)
    unet, text, autoencoder = UNet(SMALL), TextEncoder(TextConfig()), Autoencoder()
    for parameter in unet.parameters():
        torch.nn.init.normal_(parameter, std=0.02)
    weights = {f"unet.{k}": v for k, v in unet.state_dict().items()}
    weights |= {f"text.{k}": v for k, v in text.state_dict().items()}
    path = tmp_path / "pocket.safetensors"
    write_checkpoint(path, weights, autoencoder.state_dict(), SMALL, text.config, 64, {"samples_seen": 1})
    checkpoint = read_checkpoint(path)
    assert checkpoint.unet_config == SMALL
    assert json.loads(json.dumps(checkpoint.metadata)) == checkpoint.metadata
    loaded, _, _ = checkpoint.models()
    x, times, context = torch.randn(1, 4, 8, 8), torch.tensor([500]), torch.randn(1, 77, 64)
    assert torch.allclose(loaded(x, times, context), unet(x, times, context), atol=2e-3)
    table = checkpoint.host_state()["cond_stage_model.transformer.text_model.embeddings.token_embedding.weight"]
    assert table.shape == (CLIP_VOCABULARY, 64)


def test_foreign_and_damaged_files_are_named(tmp_path):
    path = tmp_path / "other.safetensors"
    with pytest.raises(FileNotFoundError, match="no pocket checkpoint"):
        read_checkpoint(path)
    save_file({"x": torch.zeros(1)}, path)
    with pytest.raises(ValueError, match="no pocket checkpoint"):
        read_checkpoint(path)
    path.write_bytes(path.read_bytes()[:-2])
    with pytest.raises(ValueError, match="damaged"):
        read_checkpoint(path)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (lambda metadata, tensors: tensors.pop(next(iter(tensors))), "is missing"),
        (lambda metadata, tensors: tensors.update(x=torch.zeros(1)), "x is nothing of it"),
        (lambda metadata, tensors: tensors.update({OUT: torch.zeros(1)}), "has the shape"),
        (lambda metadata, tensors: tensors.update({OUT: tensors[OUT].int()}), "floating-point numbers are needed"),
        (lambda metadata, tensors: tensors[OUT].fill_(torch.nan), "NaN"),
        (lambda metadata, tensors: metadata.pop("tokens"), "lacks 'tokens'"),
        (lambda metadata, tensors: metadata["tokens"].reverse(), "other words"),
        (lambda metadata, tensors: metadata["unet"].pop("num_heads"), "lacks 'num_heads'"),
        (lambda metadata, tensors: metadata["unet"].update(num_heads=7), "into their heads"),
        (lambda metadata, tensors: metadata["unet"].update(channel_mult=[1] * 10**6), "list of at most 8"),
        (lambda metadata, tensors: metadata["unet"].update(model_channels=float("inf")), "is infinite"),
        (lambda metadata, tensors: metadata["unet"].update(model_channels=63, num_heads=1), "that can be used"),
        (lambda metadata, tensors: metadata["text"].update(hidden_size=128), "U-Net wants 64"),
        (lambda metadata, tensors: metadata.update(prediction="v"), "'prediction' is 'v'"),
        (lambda metadata, tensors: metadata.update(format=2), "reads format 1"),
    ],
)
def test_every_defect_of_a_checkpoint_is_named(tmp_path, damage, sentence):
    path = tmp_path / "pocket.safetensors"
    with safe_open(CHECKPOINT, "pt") as file:
        metadata = json.loads(file.metadata()[HEADER])
    tensors = load_file(CHECKPOINT)
    damage(metadata, tensors)
    save_file(tensors, path, {HEADER: json.dumps(metadata)})
    with pytest.raises(ValueError, match=sentence) as caught:
        read_checkpoint(path)
    assert path.name in str(caught.value)
    assert len(str(caught.value)) < 400


def test_unknown_tokens_look_like_the_average_word():
    rows = torch.randn(len(known_tokens()), 8)
    table = expand_vocabulary(rows)
    assert torch.equal(table[list(known_tokens())], rows)
    unknown = next(i for i in range(CLIP_VOCABULARY) if i not in known_tokens())
    assert torch.allclose(table[unknown], rows[:-2].mean(0))
    with pytest.raises(ValueError, match="rows"):
        expand_vocabulary(rows[:-1])


def test_tokens_start_and_end_as_clip_does():
    tokens = tokenize(["a photo of a horse", ""])
    assert tokens.shape == (2, 77)
    assert (tokens[:, 0] == START).all() and (tokens[0, 6:] == END).all() and (tokens[1, 1:] == END).all()
    with pytest.raises(ValueError, match="unicorn"):
        tokenize(["a photo of a unicorn"])


def test_schedule_is_sd():
    bars = alpha_bars()
    assert bars[0] == pytest.approx(1 - 0.00085)
    assert bars[-1] == pytest.approx(0.00466, rel=1e-2)
    weights = loss_weights(torch.arange(1000))
    assert weights[-1] == 1.0 and weights[0] < 0.01


def test_ddim_with_the_true_noise_returns_the_image():
    """A denoiser that knows x0 predicts the exact eps, so DDIM must end at x0."""
    x0 = torch.randn(2, 4, 8, 8, generator=torch.Generator().manual_seed(1))
    bars = alpha_bars().float()

    def denoiser(x, times, context):
        ab = bars[times][:, None, None, None]
        return (x - ab.sqrt() * torch.cat([x0, x0])) / (1 - ab).sqrt()

    start = add_noise(x0, torch.randn_like(x0), torch.tensor([961, 961]))
    context = torch.zeros(2, 1, 1)
    assert torch.allclose(sample_ddim(denoiser, start, context, context, steps=25), x0, atol=1e-3)
