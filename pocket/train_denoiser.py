"""Third phase of the training: U-Net and text encoder together, on encoded scenes of one image size or of several."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor, nn

from .captions import caption, short_captions
from .checkpoint import trusted_checkpoint
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
class Portion:
    """What some of the steps learn from: `batch` scenes of one size; `steps` of each round of the plan take it."""

    latents: LatentPlan = field(default_factory=LatentPlan)
    batch: int = 48
    steps: int = 1


@dataclass(frozen=True)
class DenoiserPlan:
    """How long, how fast, how large. The rate is constant after the warm-up and falls to 2 % over the last `decay` of
    the run. After `minutes`, if given, the run is saved and left where it is. `start` is the checkpoint that a new run
    begins from; None is random weights. `state` is the file in runs/ that keeps the run.
    """

    samples: int = 212_000
    minutes: float | None = None
    start: Path | None = None
    peak_rate: float = 6e-4
    warmup: int = 150
    decay: float = 0.3
    ema: float = 0.9985
    empty_captions: float = 0.10
    short_captions: float = 0.25
    save_every: int = 250
    sheet_every: int = 500
    seed: int = 3
    state: str = DENOISER_STATE
    unet: UNetConfig = field(default_factory=UNetConfig)
    text: TextConfig = field(default_factory=TextConfig)
    portions: tuple[Portion, ...] = (Portion(),)

    def portion_at(self, step: int) -> int:
        """Which portion a step takes: those of a round follow one another."""
        round_ = [index for index, portion in enumerate(self.portions) for _ in range(portion.steps)]
        return round_[step % len(round_)]


class Denoiser(nn.Module):
    """What is trained: text encoder and U-Net."""

    def __init__(self, unet: UNetConfig, text: TextConfig) -> None:
        super().__init__()
        self.unet = UNet(unet)
        self.text = TextEncoder(text)

    def forward(self, x: Tensor, timesteps: Tensor, tokens: Tensor) -> Tensor:
        return self.unet(x, timesteps, self.text(tokens))


def train_denoiser(worker: Worker, plan: DenoiserPlan, runs: Path, log: TrainingLog, sheet: Path) -> None:
    """Train until `plan.samples` have been seen, from the state that runs/ has of it; keeps that up to date.

    sheet: of the first portion's size; those of others get their size into the name.
    """
    torch.manual_seed(plan.seed)
    model = Denoiser(plan.unet, plan.text).to(worker.device)
    run, state = TrainingState(model, plan.peak_rate, 0.01, plan.ema), runs / plan.state
    if state.exists():
        run.load(state)
    elif plan.start:
        run.begin_from(_checkpoint_weights(plan.start))
    data = [_Encoded(runs, portion) for portion in plan.portions]
    smooth: list[float | None] = [None] * len(data)
    last, started = run.samples >= plan.samples, time.monotonic()
    began = started - run.seconds
    while not last:
        run.set_rate(_unit_rate(run.step, run.samples / plan.samples, plan))
        which = plan.portion_at(run.step)
        loss = _step(run, worker, plan, data[which])
        before = smooth[which]
        smooth[which] = loss if before is None else before + 0.02 * (loss - before)
        run.seconds = time.monotonic() - began
        last = run.samples >= plan.samples or time_is_up(worker, plan.minutes, started)
        if worker.leads and (run.step % 50 == 0 or last):
            for portion, value in zip(plan.portions, smooth, strict=True):
                if value is not None:
                    log.add(_phase(plan, portion), run.step, run.samples, run.seconds, value)
        if worker.leads and (run.step % plan.save_every == 0 or last):
            run.save(state)
        if worker.leads and (run.step % plan.sheet_every == 0 or last):
            for portion in plan.portions:
                draw_samples(run.average, plan, portion, runs, _sheet(plan, portion, sheet), worker.device)
    worker.wait()


class _Encoded:
    """A portion's latents in memory, with the captions of their scenes."""

    def __init__(self, runs: Path, portion: Portion) -> None:
        self.batch = portion.batch
        self.latents, seeds = load_latents(runs, portion.latents)
        scenes = [random_scene(seed) for seed in seeds]
        self.captions = [(caption(scene), *short_captions(scene)) for scene in scenes]


def _checkpoint_weights(path: Path) -> dict[str, Tensor]:
    """The U-Net and the text encoder of a checkpoint, by the names of `Denoiser`."""
    unet, text, _ = trusted_checkpoint(path).models()
    networks = {"unet": unet, "text": text}
    return {f"{kind}.{name}": value for kind, net in networks.items() for name, value in net.state_dict().items()}


def _phase(plan: DenoiserPlan, portion: Portion) -> str:
    alone = len(plan.portions) == 1 and plan.start is None
    return "denoiser" if alone else f"denoiser {portion.latents.size}"


def _sheet(plan: DenoiserPlan, portion: Portion, sheet: Path) -> Path:
    return sheet if portion is plan.portions[0] else sheet.with_stem(f"{sheet.stem}_{portion.latents.size}")


def time_is_up(worker: Worker, minutes: float | None, started: float) -> bool:
    """Whether the leading process has used up its minutes; all processes get the same answer."""
    if minutes is None:
        return False
    mine = float(worker.leads and time.monotonic() - started > 60.0 * minutes)
    return worker.mean(mine) > 0.0


def draw_samples(
    average: dict[str, Tensor], plan: DenoiserPlan, portion: Portion, runs: Path, sheet: Path, device: torch.device
) -> None:
    """Sample the fixed captions, two each, with the averaged weights and write them as one image."""
    model = Denoiser(plan.unet, plan.text).to(device).eval()
    model.load_state_dict(average)
    count = 2 * len(SHEET_CAPTIONS)
    side = portion.latents.size // 8
    noise = torch.randn(count, 4, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    with torch.no_grad(), autocast(device):
        context = model.text(tokenize(list(SHEET_CAPTIONS) * 2).to(device))
        empty = model.text(tokenize([""]).to(device)).expand_as(context)
        latents = sample_ddim(model.unet, noise, context, empty, steps=20)
        images = load_autoencoder(runs, device).decode(latents)
    write_sheet(images.float(), len(SHEET_CAPTIONS), sheet)


def _step(run: TrainingState, worker: Worker, plan: DenoiserPlan, data: _Encoded) -> float:
    draw = worker.generator(plan.seed, run.step)
    local_batch = data.batch // worker.count
    chosen = torch.randint(len(data.latents), (local_batch,), generator=draw)
    spread = torch.rand((), generator=draw) + torch.randperm(local_batch, generator=draw)
    timesteps = (spread * (STEPS / local_batch)).long().clamp(0, STEPS - 1).to(worker.device)
    x0 = data.latents[chosen].float()
    eps = torch.randn(x0.shape, generator=draw)
    x0, eps = x0.to(worker.device), eps.to(worker.device)
    texts = draw_captions(data.captions, chosen, plan.empty_captions, plan.short_captions, draw)
    tokens = tokenize(texts).to(worker.device)
    with autocast(worker.device):
        predicted = run.model(add_noise(x0, eps, timesteps), timesteps, tokens)
    errors = (predicted.float() - eps).square().mean((1, 2, 3))
    loss = (errors * loss_weights(timesteps)).mean()
    loss.backward()
    worker.average_gradients(run.model.parameters())
    run.advance(local_batch * worker.count)
    return float(loss.detach())


def draw_captions(
    captions: list[tuple[str, ...]], chosen: Tensor, empty_fraction: float, short_fraction: float, draw: torch.Generator
) -> list[str]:
    """The full caption, or one of the short ones, or none."""
    texts = []
    for scene, luck in zip(chosen.tolist(), torch.rand(len(chosen), generator=draw).tolist(), strict=True):
        full, *short = captions[scene]
        if luck < empty_fraction:
            texts.append("")
        elif luck < empty_fraction + short_fraction:
            texts.append(short[int((luck - empty_fraction) / short_fraction * len(short)) % len(short)])
        else:
            texts.append(full)
    return texts


def _unit_rate(step: int, done: float, plan: DenoiserPlan) -> float:
    """The learning rate in units of its peak: warm-up, plateau, linear fall at the end."""
    rise = min(1.0, (step + 1) / plan.warmup)
    fall = min(1.0, max(0.02, (1.0 - done) / plan.decay))
    return min(rise, fall)
