"""Last phase of the training: the judge of generated images, on renderings made worse in the ways generation
makes them worse.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from safetensors.torch import save_file
from torch import Tensor

from .render import render
from .scene import random_scene
from .segmenter import SIZE, WEIGHTS, Segmenter
from .train_autoencoder import load_autoencoder
from .training_files import TrainingLog
from .training_state import TrainingState
from .workers import Worker, autocast, to_cpu, unit_learning_rate


@dataclass(frozen=True)
class SegmenterPlan:
    """`decoded` of the `scenes` are also shown as the autoencoder returns them. `held_out` scenes are only measured
    on.
    """

    samples: int = 20_000
    batch: int = 16
    scenes: int = 3_000
    decoded: int = 600
    held_out: int = 200
    peak_rate: float = 3e-3
    seed: int = 4
    first_seed: int = 3_000_000


def train_segmenter(worker: Worker, plan: SegmenterPlan, runs: Path, log: TrainingLog) -> None:
    """Train and write pocket/segmenter.safetensors with its held-out measures in the header; does nothing if it is
    there.
    """
    if WEIGHTS.exists():
        return
    torch.manual_seed(plan.seed)
    images, labels = _examples(worker, plan, runs, plan.first_seed, plan.scenes, plan.decoded)
    run = TrainingState(Segmenter().to(worker.device), plan.peak_rate, 0.01, 0.99)
    began, smooth, steps = time.monotonic(), None, plan.samples // plan.batch
    while run.step < steps:
        run.set_rate(unit_learning_rate(run.step, steps, 50))
        draw = worker.generator(plan.seed, run.step)
        chosen = torch.randint(len(images), (plan.batch,), generator=draw)
        batch, truth = _worsen(images[chosen].float() / 255.0, labels[chosen].long(), draw)
        with autocast(worker.device):
            logits = run.model(batch.to(worker.device))
        loss = F.cross_entropy(logits.float(), truth.to(worker.device), label_smoothing=0.02)
        loss.backward()
        run.advance(plan.batch)
        value = float(loss.detach())
        smooth = value if smooth is None else smooth + 0.02 * (value - smooth)
        if run.step % 250 == 0:
            log.add("segmenter", run.step, run.samples, time.monotonic() - began, smooth)
    run.model.load_state_dict(run.average)
    metadata = {"samples_seen": run.samples, **_measure(worker, run.model, plan, runs)}
    weights = {name: value.to(torch.float16) for name, value in to_cpu(run.average).items()}
    save_file(weights, WEIGHTS, metadata={"segmenter": json.dumps(metadata)})


def _examples(
    worker: Worker, plan: SegmenterPlan, runs: Path, first: int, count: int, decoded: int
) -> tuple[Tensor, Tensor]:
    """Images [N, 3, H, W] and labels [N, H, W], both uint8; the last `decoded` are the first ones through the
    autoencoder.
    """
    starts = range(first, first + count, 200)
    pieces = [_rendered(range(start, min(start + 200, first + count)), worker.device) for start in starts]
    images, labels = torch.cat([piece[0] for piece in pieces]), torch.cat([piece[1] for piece in pieces])
    if decoded:
        images = torch.cat([images, _through_autoencoder(images[:decoded], worker, runs)])
        labels = torch.cat([labels, labels[:decoded]])
    return images, labels


def _rendered(seeds: range, device: torch.device) -> tuple[Tensor, Tensor]:
    rendering = render([random_scene(seed) for seed in seeds], SIZE, device)
    images = (rendering.image * 255.0).round().to(torch.uint8).permute(0, 3, 1, 2)
    return images.cpu(), rendering.parts.to(torch.uint8).cpu()


@torch.no_grad()
def _through_autoencoder(images: Tensor, worker: Worker, runs: Path) -> Tensor:
    """The same images after encoding and decoding, with a little noise on the latents, as sampling leaves it."""
    model = load_autoencoder(runs, worker.device)
    pieces = []
    for some in images.split(16):
        batch = (some.float() / 255.0).to(worker.device, memory_format=torch.channels_last)
        with autocast(worker.device):
            latents = model.encode(batch)
            output = model.decode(latents + 0.15 * torch.randn_like(latents))
        pieces.append((output.float().clamp(0.0, 1.0) * 255.0).round().to(torch.uint8).cpu())
    return torch.cat(pieces)


def _worsen(images: Tensor, labels: Tensor, draw: torch.Generator) -> tuple[Tensor, Tensor]:
    """Flip, recolor, blur, shift and add noise, each for some of the images; labels follow the flips and shifts."""
    count = len(images)
    flip = torch.rand(count, generator=draw) < 0.5
    images[flip], labels[flip] = images[flip].flip(-1), labels[flip].flip(-1)
    gain = 1.0 + 0.25 * (torch.rand(count, 3, 1, 1, generator=draw) - 0.5)
    images = images * gain + 0.16 * (torch.rand(count, 3, 1, 1, generator=draw) - 0.5)
    blurred = F.avg_pool2d(F.pad(images, (1, 1, 1, 1), mode="replicate"), 3, stride=1)
    blur = torch.rand(count, 1, 1, 1, generator=draw) * (torch.rand(count, 1, 1, 1, generator=draw) < 0.6)
    images = torch.lerp(images, blurred, blur)
    dx, dy = torch.randint(-8, 9, (2,), generator=draw).tolist()
    images, labels = images.roll((dy, dx), (2, 3)), labels.roll((dy, dx), (1, 2))
    noise = 0.06 * torch.rand(count, 1, 1, 1, generator=draw)
    return (images + noise * torch.randn(images.shape, generator=draw)).clamp(0.0, 1.0), labels


@torch.no_grad()
def _measure(worker: Worker, model: torch.nn.Module, plan: SegmenterPlan, runs: Path) -> dict[str, float]:
    """Pixel accuracy and silhouette IoU on held-out scenes, as rendered and as the autoencoder returns them."""
    first = plan.first_seed + plan.scenes
    images, labels = _examples(worker, plan, runs, first, plan.held_out, plan.held_out)
    guesses = [model(some.to(worker.device).float() / 255.0).argmax(1).cpu() for some in images.split(32)]
    found, truth = torch.cat(guesses), labels.long()
    measures = {}
    for name, chosen in (("rendered", slice(0, plan.held_out)), ("decoded", slice(plan.held_out, None))):
        same = (found[chosen] == truth[chosen]).float().mean()
        animal, expected = found[chosen] > 0, truth[chosen] > 0
        iou = (animal & expected).sum((1, 2)) / (animal | expected).sum((1, 2))
        measures[f"pixel_accuracy_{name}"] = round(float(same), 4)
        measures[f"silhouette_iou_{name}"] = round(float(iou.mean()), 4)
    return measures
