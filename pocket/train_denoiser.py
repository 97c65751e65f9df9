"""Third phase of the training: U-Net and text encoder together, on encoded scenes."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from .captions import caption, short_captions
from .diffusion import STEPS, add_noise, loss_weights, sample_ddim
from .latents import LatentPlan, load_latents
from .scene import random_scene
from .text import TextConfig, TextEncoder, tokenize
from .train_autoencoder import load_autoencoder
from .training_files import TrainingLog, write_sheet
from .training_state import TrainingState
from .unet import UNet, UNetConfig
from .workers import Worker, autocast

DENOISER_STATE = "denoiser.safetensors"
SHEET_CAPTIONS = (
    "a photo of a striped red horse on grass",
    "a photo of a plain blue elephant on sand",
    "a photo of a spotted yellow giraffe on grass",
    "a photo of a belted green dog on snow",
    "a photo of a lined pink sheep on rock",
    "a photo of a plain black cow on grass",
    "a photo of a horse",
    "",
)


@dataclass(frozen=True)
class DenoiserPlan:
    """How long, how fast, how large. The rate is constant after the warm-up and falls to 2 % over the last `decay` of
    the run. After `minutes`, if given, the run is saved and left where it is.
    """

    samples: int = 212_000
    minutes: float | None = None
    batch: int = 48
    peak_rate: float = 6e-4
    warmup: int = 150
    decay: float = 0.3
    ema: float = 0.9985
    empty_captions: float = 0.10
    short_captions: float = 0.25
    save_every: int = 250
    sheet_every: int = 500
    seed: int = 3
    unet: UNetConfig = field(default_factory=UNetConfig)
    text: TextConfig = field(default_factory=TextConfig)
    latents: LatentPlan = field(default_factory=LatentPlan)


class Denoiser(nn.Module):
    """What is trained: text encoder and U-Net."""

    def __init__(self, unet: UNetConfig, text: TextConfig) -> None:
        super().__init__()
        self.unet = UNet(unet)
        self.text = TextEncoder(text)

    def forward(self, x: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        return self.unet(x, timesteps, self.text(tokens))


def train_denoiser(worker: Worker, plan: DenoiserPlan, runs: Path, log: TrainingLog, sheet: Path) -> None:
    """Train until `plan.samples` have been seen, from runs/denoiser.safetensors if it is there; keeps it up to date."""
    torch.manual_seed(plan.seed)
    model = Denoiser(plan.unet, plan.text).to(worker.device)
    run, state = TrainingState(model, plan.peak_rate, 0.01, plan.ema), runs / DENOISER_STATE
    if state.exists():
        run.load(state)
    latents, seeds = load_latents(runs, plan.latents)
    scenes = [random_scene(seed) for seed in seeds]
    captions = [(caption(scene), *short_captions(scene)) for scene in scenes]
    share, smooth, last, started = plan.batch // worker.count, None, run.samples >= plan.samples, time.monotonic()
    began = started - run.seconds
    while not last:
        run.set_rate(_unit_rate(run.step, run.samples / plan.samples, plan))
        loss = _step(run, worker, plan, latents, captions, share)
        smooth = loss if smooth is None else smooth + 0.02 * (loss - smooth)
        run.seconds = time.monotonic() - began
        last = run.samples >= plan.samples or time_is_up(worker, plan.minutes, started)
        if worker.leads and (run.step % 50 == 0 or last):
            log.add("denoiser", run.step, run.samples, run.seconds, smooth)
        if worker.leads and (run.step % plan.save_every == 0 or last):
            run.save(state)
        if worker.leads and (run.step % plan.sheet_every == 0 or last):
            draw_samples(run.average, plan, runs, sheet, worker.device)
    worker.wait()


def time_is_up(worker: Worker, minutes: float | None, started: float) -> bool:
    """Whether the leading process has used up its minutes; all processes get the same answer."""
    if minutes is None:
        return False
    mine = float(worker.leads and time.monotonic() - started > 60.0 * minutes)
    return worker.mean(mine) > 0.0


def draw_samples(average: dict[str, Tensor], plan: DenoiserPlan, runs: Path, sheet: Path, device: torch.device) -> None:
    """Sample the fixed captions, two each, with the averaged weights and write them as one image."""
    model = Denoiser(plan.unet, plan.text).to(device).eval()
    model.load_state_dict(average)
    count = 2 * len(SHEET_CAPTIONS)
    side = plan.latents.size // 8
    noise = torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad(), autocast(device):
        context = model.text(tokenize(list(SHEET_CAPTIONS) * 2).to(device))
        empty = model.text(tokenize([""]).to(device)).expand_as(context)
        latents = sample_ddim(model.unet, noise, context, empty, steps=20)
        images = load_autoencoder(runs, device).decode(latents)
    write_sheet(images.float(), len(SHEET_CAPTIONS), sheet)


def _step(
    run: TrainingState, worker: Worker, plan: DenoiserPlan, latents: Tensor, captions: list[tuple[str, ...]], share: int
) -> float:
    draw = worker.generator(plan.seed, run.step)
    chosen = torch.randint(len(latents), (share,), generator=draw)
    spread = torch.rand((), generator=draw) + torch.randperm(share, generator=draw)
    timesteps = (spread * (STEPS / share)).long().clamp(0, STEPS - 1).to(worker.device)
    x0 = latents[chosen].float()
    eps = torch.randn(x0.shape, generator=draw)
    x0, eps = x0.to(worker.device), eps.to(worker.device)
    tokens = tokenize(draw_captions(captions, chosen, plan.empty_captions, plan.short_captions, draw)).to(worker.device)
    with autocast(worker.device):
        predicted = run.model(add_noise(x0, eps, timesteps), timesteps, tokens)
    errors = (predicted.float() - eps).square().mean((1, 2, 3))
    loss = (errors * loss_weights(timesteps)).mean()
    loss.backward()
    worker.average_gradients(run.model.parameters())
    run.advance(share * worker.count)
    return float(loss.detach())


def draw_captions(
    captions: list[tuple[str, ...]], chosen: Tensor, empty_share: float, short_share: float, draw: torch.Generator
) -> list[str]:
    """The full caption, or one of the short ones, or none."""
    texts = []
    for scene, luck in zip(chosen.tolist(), torch.rand(len(chosen), generator=draw).tolist(), strict=True):
        full, *short = captions[scene]
        if luck < empty_share:
            texts.append("")
        elif luck < empty_share + short_share:
            texts.append(short[int((luck - empty_share) / short_share * len(short)) % len(short)])
        else:
            texts.append(full)
    return texts


def _unit_rate(step: int, done: float, plan: DenoiserPlan) -> float:
    """The learning rate in units of its peak: warm-up, plateau, linear fall at the end."""
    rise = min(1.0, (step + 1) / plan.warmup)
    fall = min(1.0, max(0.02, (1.0 - done) / plan.decay))
    return min(rise, fall)
