"""The trainer in miniature: it learns, stops, resumes and exports."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from appearance_transfer.pocket.autoencoder import Autoencoder
from appearance_transfer.pocket.checkpoint import TRANSFORMER_CHECKPOINT, write_checkpoint
from appearance_transfer.pocket.checkpoint_file import read_checkpoint
from appearance_transfer.pocket.latents import LatentPlan
from appearance_transfer.pocket.render import render
from appearance_transfer.pocket.scene import random_scene
from appearance_transfer.pocket.text import (
    TextConfig,
    TextEncoder,
)
from appearance_transfer.pocket.train import PLANS, export
from appearance_transfer.pocket.train_autoencoder import (
    AutoencoderPlan,
    load_autoencoder,
    refine_decoder,
    train_autoencoder,
)
from appearance_transfer.pocket.train_denoiser import DENOISER_STATE, DenoiserPlan, Portion, train_denoiser
from appearance_transfer.pocket.train_transformer import (
    TRANSFORMER_STATE,
    TransformerPlan,
    export_transformer,
    train_transformer,
)
from appearance_transfer.pocket.training_files import TrainingLog
from appearance_transfer.pocket.training_state import TrainingState, load_average, saved_counts
from appearance_transfer.pocket.transformer import TransformerConfig
from appearance_transfer.pocket.unet import UNet, UNetConfig
from appearance_transfer.pocket.workers import Worker
from PIL import Image
from safetensors.torch import save_file

OUT = "model.diffusion_model.out.2.weight"

SMALL = UNetConfig(model_channels=32, channel_mult=(1, 1), num_heads=2)

ALONE = Worker(0, 1, torch.device("cpu"))


@pytest.fixture(autouse=True)
def one_thread():
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(threads)


def plan(samples: int) -> DenoiserPlan:
    portions = (Portion(LatentPlan(scenes=250, size=64), batch=4),)
    return DenoiserPlan(
        samples=samples, warmup=1, save_every=2, sheet_every=1000, unet=SMALL, portions=portions, decay=1e-9
    )


@pytest.fixture
def runs(tmp_path):
    for size in (32, 64):
        folder = tmp_path / f"latents_{size}"
        folder.mkdir()
        latents = torch.randn(250, 4, size // 8, size // 8, generator=torch.Generator().manual_seed(0))
        save_file({"latents": latents.to(torch.bfloat16)}, folder / "2000000.safetensors")
    save_file(Autoencoder().state_dict(), tmp_path / "autoencoder.safetensors")
    return tmp_path


def test_a_resumed_run_equals_an_unbroken_one(runs, tmp_path):
    log = TrainingLog(tmp_path / "log.csv")
    train_denoiser(ALONE, plan(16), runs, log, tmp_path / "sheet.png")
    unbroken = load_average(runs / DENOISER_STATE)
    (runs / DENOISER_STATE).unlink()
    for samples in (8, 16):
        train_denoiser(ALONE, plan(samples), runs, log, tmp_path / "sheet.png")
    resumed = load_average(runs / DENOISER_STATE)
    assert saved_counts(runs / DENOISER_STATE)["samples"] == 16
    for name, value in unbroken.items():
        assert torch.equal(value, resumed[name]), name
    assert (tmp_path / "sheet.png").exists()
    assert (tmp_path / "log.csv").read_text().startswith("phase,step,samples,seconds,loss")


def test_a_resumed_transformer_equals_an_unbroken_one_and_is_exported(runs, tmp_path):
    """Muon and AdamW both go on where they were; the text encoder stays as it is."""
    log, sheet, path = TrainingLog(tmp_path / "log.csv"), tmp_path / "sheet.png", tmp_path / "transformer.safetensors"
    small = TransformerConfig(hidden_size=32, num_heads=2, depth=1, depth_single_blocks=1, axes_dim=(4, 6, 6))
    brief = TransformerPlan(
        samples=16, batch=4, warmup=1, sheet_every=4, transformer=small, latents=plan(0).portions[0].latents, decay=1e-9
    )
    train_transformer(ALONE, brief, runs, log, sheet)
    unbroken = load_average(runs / TRANSFORMER_STATE)
    (runs / TRANSFORMER_STATE).unlink()
    for samples in (8, 16):
        train_transformer(ALONE, replace(brief, samples=samples), runs, log, sheet)
    resumed = load_average(runs / TRANSFORMER_STATE)
    for name, value in unbroken.items():
        assert torch.equal(value, resumed[name]), name
    assert sheet.exists()
    export_transformer(brief, runs, path)
    checkpoint = read_checkpoint(path)
    assert checkpoint.transformer_config == small
    text = read_checkpoint(TRANSFORMER_CHECKPOINT).models()[1].state_dict()
    for name, value in checkpoint.models()[1].state_dict().items():
        assert torch.equal(value, text[name]), name


def mixed_plan(samples: int, start: Path) -> DenoiserPlan:
    portions = tuple(Portion(LatentPlan(scenes=250, size=size), 4, steps) for size, steps in ((64, 3), (32, 1)))
    return replace(plan(samples), portions=portions, start=start)


def test_two_sizes_take_turns_from_a_checkpoint_on_and_a_resumed_run_equals_an_unbroken_one(runs, tmp_path):
    torch.manual_seed(1)
    unet, text, start = UNet(SMALL), TextEncoder(TextConfig()), tmp_path / "start.safetensors"
    weights = {f"{kind}.{k}": v for kind, net in (("unet", unet), ("text", text)) for k, v in net.state_dict().items()}
    write_checkpoint(start, weights, Autoencoder().state_dict(), SMALL, text.config, 64, {"samples_seen": 7})
    log, sheet = TrainingLog(tmp_path / "log.csv"), tmp_path / "sheet.png"
    train_denoiser(ALONE, mixed_plan(20, start), runs, log, sheet)
    unbroken = load_average(runs / DENOISER_STATE)
    moved = [float((unbroken[name] - value).abs().max()) for name, value in weights.items()]
    assert 0 < max(moved) < 0.1
    (runs / DENOISER_STATE).unlink()
    for samples in (12, 20):
        train_denoiser(ALONE, mixed_plan(samples, start), runs, log, sheet)
    resumed = load_average(runs / DENOISER_STATE)
    assert all(torch.equal(value, resumed[name]) for name, value in unbroken.items())
    assert [mixed_plan(1, start).portion_at(step) for step in range(5)] == [0, 0, 0, 1, 0]
    assert {line.split(",")[0] for line in log.path.read_text().splitlines()[1:]} == {"denoiser 64", "denoiser 32"}
    with Image.open(sheet) as large, Image.open(tmp_path / "sheet_32.png") as small:
        assert (large.height, small.height) == (2 * 64, 2 * 32)


@pytest.mark.parametrize("written", ["new.safetensors", "start.safetensors"], ids=["beside its start", "over it"])
def test_a_run_exports_what_it_and_its_start_have_seen_and_says_the_same_again(runs, tmp_path, written):
    start, path = tmp_path / "start.safetensors", tmp_path / written
    networks = {"unet": UNet(SMALL), "text": TextEncoder(TextConfig())}
    weights = {f"{kind}.{k}": v for kind, net in networks.items() for k, v in net.state_dict().items()}
    seen = {"samples_seen": 7, "steps": 2, "autoencoder_samples_seen": 5}
    write_checkpoint(start, weights, Autoencoder().state_dict(), SMALL, TextConfig(), 64, seen)
    own_plan = mixed_plan(8, start)
    train_denoiser(ALONE, own_plan, runs, TrainingLog(tmp_path / "log.csv"), tmp_path / "sheet.png")
    for _ in range(2):
        export(replace(PLANS["mixed"], denoiser=own_plan, checkpoint=path), runs)
    metadata = read_checkpoint(path).metadata
    assert (metadata["image_size"], metadata["training"]["samples_seen"], metadata["training"]["steps"]) == (64, 15, 4)
    assert metadata["training"]["autoencoder_samples_seen"] == 5
    assert PLANS["mixed"].phases == ["latents", "denoiser", "export"]


def test_autoencoder_phase_then_decoder_phase(tmp_path):
    """A fresh autoencoder starts as a thumbnail, and refining the decoder leaves the encoder as it was."""
    log = TrainingLog(tmp_path / "log.csv")
    brief = AutoencoderPlan(samples=16, batch=4, crop=32, scenes=8, size=64)
    train_autoencoder(ALONE, brief, tmp_path, log)
    before = load_autoencoder(tmp_path).state_dict()
    refine_decoder(ALONE, brief, tmp_path, log)
    after = load_autoencoder(tmp_path).state_dict()
    for name, value in before.items():
        assert torch.equal(value, after[name]) == name.startswith("taesd_encoder"), name
    images = render([random_scene(0)], 64).image.permute(0, 3, 1, 2)
    model = load_autoencoder(tmp_path)
    with torch.no_grad():
        assert (model.decode(model.encode(images)) - images).abs().mean() < 0.2


def test_training_learns():
    torch.manual_seed(0)
    model = UNet(SMALL)
    run = TrainingState(model, 3e-3, 0.0, 0.9)
    x, times, context = torch.randn(4, 4, 8, 8), torch.tensor([10, 200, 500, 900]), torch.randn(4, 3, 64)
    losses = []
    for _ in range(30):
        loss = (model(x, times, context) - x).square().mean()
        loss.backward()
        run.advance(4)
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.3 * losses[0]
