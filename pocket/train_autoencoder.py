"""First phase of the training: the autoencoder, on crops of rendered scenes."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .autoencoder import Autoencoder, latent_penalty, reconstruction_loss
from .render import render
from .scene import random_scene
from .training_files import TrainingLog, write_sheet
from .training_state import TrainingState
from .workers import Worker, autocast, to_cpu, unit_learning_rate

AUTOENCODER_STATE, DECODER_STATE = "autoencoder_state.safetensors", "decoder_state.safetensors"
_FINISHED = "autoencoder.safetensors"
_LATENT_NOISE = 0.1


@dataclass(frozen=True)
class AutoencoderPlan:
    """How long and on what. `first_seed` keeps training scenes apart from those of benchmarks and tests (seeds
    below a million).
    """

    samples: int = 16_000
    batch: int = 16
    crop: int = 64
    scenes: int = 4_000
    size: int = 128
    peak_rate: float = 1.0e-3
    seed: int = 1
    first_seed: int = 1_000_000


def train_autoencoder(worker: Worker, plan: AutoencoderPlan, runs: Path, log: TrainingLog) -> None:
    """Train and, at the end, write runs/autoencoder.safetensors; does nothing if it is there, resumes if a run was
    broken off.
    """
    if (runs / _FINISHED).exists():
        return
    torch.manual_seed(plan.seed)
    model = Autoencoder()
    model.start_as_thumbnail()
    model = model.to(worker.device, memory_format=torch.channels_last)
    run, state = TrainingState(model, plan.peak_rate, 0.0, 0.99), runs / AUTOENCODER_STATE
    if state.exists():
        run.load(state)
    images = _images(worker, plan)
    for last in _steps(worker, plan, run, images, _loss, model, ("autoencoder", log)):
        if worker.leads and (run.step % 400 == 0 or last):
            run.save(state)
            _draw(model, images, runs)
    if worker.leads:
        save_file(to_cpu(run.average), runs / _FINISHED)
    worker.wait()


def refine_decoder(worker: Worker, plan: AutoencoderPlan, runs: Path, log: TrainingLog) -> None:
    """Train the decoder of the finished autoencoder further. Its encoder stays, so encoded scenes and a U-Net trained
    on them stay valid.
    """
    torch.manual_seed(plan.seed)
    model = load_autoencoder(runs, worker.device)
    model.taesd_decoder.requires_grad_(True)
    run = TrainingState(model.taesd_decoder, plan.peak_rate, 0.0, 0.99)
    images = _images(worker, plan)
    for _ in _steps(worker, plan, run, images, _decoder_loss, model, ("decoder", log)):
        pass
    if worker.leads:
        model.taesd_decoder.load_state_dict(run.average)
        save_file(to_cpu(model.state_dict()), runs / _FINISHED)
        run.save(runs / DECODER_STATE)
        _draw(model, images, runs)
    worker.wait()


def _steps(
    worker: Worker,
    plan: AutoencoderPlan,
    run: TrainingState,
    images: Tensor,
    loss_of: Callable[[Autoencoder, Tensor, Worker], Tensor],
    model: Autoencoder,
    logged: tuple[str, TrainingLog],
) -> Iterator[bool]:
    """Take the plan's remaining steps; after each, say whether it was the last."""
    local_batch, began, smooth = plan.batch // worker.count, time.monotonic() - run.seconds, None
    phase, log = logged
    while run.samples < plan.samples:
        run.set_rate(unit_learning_rate(run.step, plan.samples // plan.batch, 80))
        target = _crops(images, local_batch, plan.crop, worker.generator(plan.seed, run.step)).to(worker.device)
        loss = loss_of(model, target, worker)
        loss.backward()
        worker.average_gradients(run.model.parameters())
        run.advance(local_batch * worker.count)
        run.seconds = time.monotonic() - began
        value = float(loss.detach())
        smooth = value if smooth is None else smooth + 0.02 * (value - smooth)
        last = run.samples >= plan.samples
        if worker.leads and (run.step % 50 == 0 or last):
            log.add(phase, run.step, run.samples, run.seconds, smooth)
        yield last


def keep_autoencoder(runs: Path, weights: dict[str, Tensor]) -> None:
    """Take a trained autoencoder for the finished one of this run, unless there is one."""
    if not (runs / _FINISHED).exists():
        save_file(to_cpu(weights), runs / _FINISHED)


def load_autoencoder(runs: Path, device: torch.device | str = "cpu") -> Autoencoder:
    """The autoencoder of an earlier run, frozen."""
    model = Autoencoder()
    model.load_state_dict(load_file(runs / _FINISHED))
    return model.requires_grad_(False).eval().to(device, memory_format=torch.channels_last)


def _loss(model: Autoencoder, target: Tensor, worker: Worker) -> Tensor:
    with autocast(worker.device):
        latents = model.encode(target)
        output = model.decode(latents + _LATENT_NOISE * torch.randn_like(latents))
    return reconstruction_loss(output.float(), target) + 0.02 * latent_penalty(latents.float())


def _decoder_loss(model: Autoencoder, target: Tensor, worker: Worker) -> Tensor:
    with autocast(worker.device):
        with torch.no_grad():
            latents = model.encode(target)
        output = model.decode(latents + _LATENT_NOISE * torch.randn_like(latents))
    return reconstruction_loss(output.float(), target)


def _images(worker: Worker, plan: AutoencoderPlan) -> Tensor:
    """This worker's share of the scenes as uint8 [N, 3, H, W]."""
    seeds = range(plan.first_seed + worker.rank, plan.first_seed + plan.scenes, worker.count)
    pieces = []
    for first in range(0, len(seeds), 256):
        image = render([random_scene(seed) for seed in seeds[first : first + 256]], plan.size, worker.device).image
        pieces.append((image * 255.0).round().to(torch.uint8).permute(0, 3, 1, 2).cpu())
    return torch.cat(pieces)


def _crops(images: Tensor, count: int, size: int, generator: torch.Generator) -> Tensor:
    """Random squares, half of them flipped: [count, 3, size, size] in 0..1."""
    room = images.shape[-1] - size
    chosen = torch.randint(len(images), (count,), generator=generator).tolist()
    corners = torch.randint(room + 1, (count, 2), generator=generator).tolist()
    crops = [images[i, :, y : y + size, x : x + size] for i, (y, x) in zip(chosen, corners, strict=True)]
    batch = torch.stack(crops).float() / 255.0
    flip = torch.rand(count, generator=generator) < 0.5
    batch[flip] = batch[flip].flip(-1)
    return batch.contiguous(memory_format=torch.channels_last)


@torch.no_grad()
def _draw(model: Autoencoder, images: Tensor, runs: Path) -> None:
    """Eight scenes above their reconstructions."""
    original = images[:8].to(next(model.parameters()).device).float() / 255.0
    output = model.decode(model.encode(original)).clamp(0.0, 1.0)
    write_sheet(torch.cat([original, output]), 8, runs / "autoencoder_sheet.png")
