"""The training of the pocket transformer: flow matching on encoded scenes, under a text encoder that has been trained.

`python -m pocket.train transformer` in the repository, resumable at any point; its log and sheet lie beside the
checkpoint's. It needs the phases autoencoder and latents, and reads the text encoder from the U-Net's checkpoint.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path

import torch
from safetensors.torch import load_file
from torch import Tensor, nn

from .captions import caption, short_captions
from .checkpoint import CHECKPOINT, TEXT, TRANSFORMER_CHECKPOINT, write_transformer
from .flow import draw_sigmas, noised, sample_flow
from .latents import LatentPlan, load_latents
from .scene import random_scene
from .text import TextConfig, TextEncoder, tokenize
from .train_autoencoder import load_autoencoder
from .train_denoiser import SHEET_CAPTIONS, draw_captions, time_is_up
from .training_files import TrainingLog, write_sheet
from .training_state import TrainingState, load_average, saved_counts
from .transformer import Transformer, TransformerConfig
from .workers import Worker, autocast

TRANSFORMER_STATE = "transformer.safetensors"


@dataclass(frozen=True)
class TransformerPlan:
    """How long, how fast, how large; as DenoiserPlan. Muon moves the matrices of the blocks, AdamW all else."""

    samples: int = 52_000
    minutes: float | None = None
    batch: int = 48
    peak_rate: float = 1.5e-3
    warmup: int = 100
    decay: float = 0.4
    ema: float = 0.998
    empty_captions: float = 0.10
    short_captions: float = 0.25
    save_every: int = 100
    sheet_every: int = 300
    seed: int = 17
    transformer: TransformerConfig = field(default_factory=TransformerConfig)
    text: TextConfig = field(default_factory=TextConfig)
    latents: LatentPlan = field(default_factory=lambda: LatentPlan(scenes=5_000, size=256))


class TextAndTransformer(nn.Module):
    """What is trained, and the frozen text encoder that it listens to."""

    def __init__(self, transformer: TransformerConfig, text: TextConfig) -> None:
        super().__init__()
        self.network = Transformer(transformer)
        self.text = TextEncoder(text).requires_grad_(False)

    def context(self, texts: list[str], device: torch.device) -> Tensor:
        """Features of the first tokens of captions, [B, text_tokens, D]."""
        with torch.no_grad():
            return self.text(tokenize(texts).to(device))[:, : self.network.config.text_tokens].float()

    def block_matrices(self) -> list[nn.Parameter]:
        """The matrices of the blocks that are no modulation: those that Muon is for."""
        named = self.network.named_parameters()
        return [p for name, p in named if p.ndim == 2 and "blocks" in name and "mod" not in name]


def train_transformer(worker: Worker, plan: TransformerPlan, runs: Path, log: TrainingLog, sheet: Path) -> None:
    """Train until `plan.samples` have been seen, from runs/transformer.safetensors if it is there."""
    torch.manual_seed(plan.seed)
    model = TextAndTransformer(plan.transformer, plan.text)
    model.network.start()
    model.text.load_state_dict(_trained_text())
    model.to(worker.device)
    run = TrainingState(model, plan.peak_rate, 0.0, plan.ema, muon=model.block_matrices(), betas=(0.9, 0.98))
    state = runs / TRANSFORMER_STATE
    if state.exists():
        run.load(state)
    latents, seeds = load_latents(runs, plan.latents)
    scenes = [random_scene(seed) for seed in seeds]
    captions = [(caption(scene), *short_captions(scene)) for scene in scenes]
    smooth, last, started = None, run.samples >= plan.samples, time.monotonic()
    began = started - run.seconds
    while not last:
        rise, fall = (run.step + 1) / plan.warmup, (1.0 - run.samples / plan.samples) / plan.decay
        run.set_rate(min(1.0, rise) * min(1.0, max(0.02, fall)))
        loss = _step(run, worker, plan, latents, captions)
        smooth = loss if smooth is None else smooth + 0.02 * (loss - smooth)
        run.seconds = time.monotonic() - began
        last = run.samples >= plan.samples or time_is_up(worker, plan.minutes, started)
        if worker.leads and (run.step % 25 == 0 or last):
            log.add("transformer", run.step, run.samples, run.seconds, smooth)
        if worker.leads and (run.step % plan.save_every == 0 or last):
            run.save(state)
        if worker.leads and (run.step % plan.sheet_every == 0 or last):
            _draw_samples(run.average, plan, runs, sheet, worker.device)
    worker.wait()


def export_transformer(plan: TransformerPlan, runs: Path, path: Path = TRANSFORMER_CHECKPOINT) -> None:
    """Write the checkpoint from the averaged weights of the run as it stands."""
    counts = saved_counts(runs / TRANSFORMER_STATE)
    training: dict[str, object] = {
        "samples_seen": int(counts["samples"]),
        "steps": int(counts["step"]),
        "batch": plan.batch,
        "scenes": plan.latents.scenes,
        "first_seed": plan.latents.first_seed,
    }
    average = load_average(runs / TRANSFORMER_STATE)
    write_transformer(path, average, plan.transformer, plan.text, plan.latents.size, training)


def _trained_text() -> dict[str, Tensor]:
    """The text encoder that the committed transformer listens to; before there is one, the U-Net's."""
    path = TRANSFORMER_CHECKPOINT if TRANSFORMER_CHECKPOINT.exists() else CHECKPOINT
    return {k.removeprefix(TEXT): v.float() for k, v in load_file(path).items() if k.startswith(TEXT)}


def _step(
    run: TrainingState, worker: Worker, plan: TransformerPlan, latents: Tensor, captions: list[tuple[str, ...]]
) -> float:
    model, local_batch = run.model, plan.batch // worker.count
    assert isinstance(model, TextAndTransformer)
    draw = worker.generator(plan.seed, run.step)
    chosen = torch.randint(len(latents), (local_batch,), generator=draw)
    x0 = latents[chosen].float()
    noise, sigma = torch.randn(x0.shape, generator=draw), draw_sigmas(local_batch, draw)
    texts = draw_captions(captions, chosen, plan.empty_captions, plan.short_captions, draw)
    x0, noise, sigma = (value.to(worker.device) for value in (x0, noise, sigma))
    with autocast(worker.device):
        velocity = model.network(noised(x0, noise, sigma), sigma, model.context(texts, worker.device))
    loss = (velocity.float() - (noise - x0)).square().mean()
    loss.backward()
    worker.average_gradients(model.parameters())
    run.advance(local_batch * worker.count)
    return float(loss.detach())


def _draw_samples(
    average: dict[str, Tensor], plan: TransformerPlan, runs: Path, sheet: Path, device: torch.device
) -> None:
    """Sample the fixed captions, two each, with the averaged weights and write them as one image."""
    model = TextAndTransformer(plan.transformer, plan.text).to(device).eval()
    model.load_state_dict(average)
    texts, side = list(SHEET_CAPTIONS) * 2, plan.latents.size // 8
    noise = torch.randn(len(texts), 4, side, side, generator=torch.Generator().manual_seed(0)).to(device)
    context = model.context(texts, device)
    with torch.no_grad(), autocast(device):
        latents = sample_flow(model.network, noise, context, model.context([""], device).expand_as(context))
        images = load_autoencoder(runs, device).decode(latents)
    write_sheet(images.float(), len(SHEET_CAPTIONS), sheet)
