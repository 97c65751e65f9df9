"""Second phase of the training: scenes as latents, encoded once, in blocks that several processes share out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file
from torch import Tensor

from .render import render
from .scene import random_scene
from .train_autoencoder import load_autoencoder
from .workers import Worker, autocast

BLOCK = 250


@dataclass(frozen=True)
class LatentPlan:
    """Which scenes: `scenes` of them from `first_seed` on, at `size` pixels."""

    scenes: int = 6_000
    size: int = 128
    first_seed: int = 2_000_000

    def folder(self, runs: Path) -> Path:
        """Where they lie: those of the default size in runs/latents, of another one in a folder of their own."""
        return runs / ("latents" if self.size == LatentPlan.size else f"latents_{self.size}")


def encode_scenes(worker: Worker, plan: LatentPlan, runs: Path) -> None:
    """Write <first seed>.safetensors into the plan's folder for every block that is not there yet."""
    folder = plan.folder(runs)
    folder.mkdir(exist_ok=True)
    model = load_autoencoder(runs, worker.device)
    firsts = range(plan.first_seed, plan.first_seed + plan.scenes, BLOCK)
    for first in firsts[worker.rank :: worker.count]:
        path = folder / f"{first}.safetensors"
        if path.exists():
            continue
        images = render([random_scene(seed) for seed in range(first, first + BLOCK)], plan.size, worker.device).image
        unfinished = path.with_suffix(".part")
        save_file({"latents": _encode(model, images)}, unfinished)
        unfinished.replace(path)
    worker.wait()


def load_latents(runs: Path, plan: LatentPlan) -> tuple[Tensor, list[int]]:
    """All latents of the plan that have been encoded, [N, 4, h, w] bfloat16, and the seeds of their scenes.

    Raises FileNotFoundError when there are none.
    """
    blocks: list[Tensor] = []
    seeds: list[int] = []
    for first in range(plan.first_seed, plan.first_seed + plan.scenes, BLOCK):
        path = plan.folder(runs) / f"{first}.safetensors"
        if path.exists():
            blocks.append(load_file(path)["latents"])
            seeds += range(first, first + BLOCK)
    if not blocks:
        raise FileNotFoundError(f"No scenes have been encoded in {plan.folder(runs)}; run the latents phase first.")
    return torch.cat(blocks), seeds


@torch.no_grad()
def _encode(model: torch.nn.Module, images: Tensor) -> Tensor:
    pieces = []
    for chunk in images.permute(0, 3, 1, 2).split(16):
        with autocast(images.device):
            pieces.append(model.encode(chunk.contiguous(memory_format=torch.channels_last)).to(torch.bfloat16).cpu())
    return torch.cat([piece.contiguous() for piece in pieces])
