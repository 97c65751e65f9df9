"""How well do the pocket U-Nets denoise scenes that no training has seen, by timestep and at both image sizes?

`python dev.py bench denoising [--scenes N]` writes results/denoising.csv: the mean squared error of the predicted noise
under the full caption, in five bands of timesteps and on the mean over all timesteps. Scenes, noise and timesteps are
the same for every network, so the last rows compare two of them scene by scene.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..pocket.captions import caption
from ..pocket.checkpoint import DEFAULT_NETWORK, LARGE_NETWORK, NETWORKS
from ..pocket.checkpoint_file import read_checkpoint
from ..pocket.diffusion import STEPS, add_noise
from ..pocket.render import render
from ..pocket.scene import Scene, random_scene
from ..pocket.text import tokenize
from .reporting import RESULTS
from .reporting.cases import Cases
from .reporting.table import as_text, write_table

FIRST_SEED = 700_000
SIZES = (128, 256)
U_NETS = (DEFAULT_NETWORK, LARGE_NETWORK)
BANDS = ((0, 100), (100, 300), (300, 500), (500, 700), (700, STEPS))
"""Of timesteps: from, to (not included)."""
CHUNK = 20


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every network at every size, write the table, say it."""
    options = _options(arguments)
    scenes = [random_scene(FIRST_SEED + number) for number in range(options.scenes)]
    values: Cases = {}
    for size in SIZES:
        latents = encoded(scenes, size)
        for network in U_NETS:
            values[f"{network}, images of {size} px"] = errors(network, scenes, latents)
        values[f"{LARGE_NETWORK} / {DEFAULT_NETWORK}, images of {size} px"] = ratio(
            values[f"{LARGE_NETWORK}, images of {size} px"], values[f"{DEFAULT_NETWORK}, images of {size} px"]
        )
    write_table(options.out / "denoising.csv", values)
    echo(as_text(values))
    return 0


@torch.no_grad()
def encoded(scenes: list[Scene], size: int) -> Tensor:
    """The latents [N, 4, size / 8, size / 8]; all networks share the autoencoder."""
    *_, autoencoder = read_checkpoint().models()
    chunks = [scenes[first : first + CHUNK] for first in range(0, len(scenes), CHUNK)]
    images = (render(chunk, size).image.movedim(-1, 1) for chunk in tqdm(chunks, desc=f"encoding {size} px"))
    return torch.cat([autoencoder.encode(some) for some in images])


@torch.no_grad()
def errors(network: str, scenes: list[Scene], latents: Tensor) -> dict[str, list[float]]:
    """Per band of timesteps the squared error of each scene, and their mean, weighted by the widths of the bands."""
    unet, text, _ = read_checkpoint(NETWORKS[network]).models()
    draw = torch.Generator().manual_seed(0)
    bands: dict[str, Tensor] = {}
    for low, high in tqdm(BANDS, desc=network):
        noise = torch.randn(latents.shape, generator=draw)
        timesteps = _spread(low, high, len(latents), draw)
        pieces = []
        for rows in torch.arange(len(latents)).split(CHUNK):
            context = text(tokenize([caption(scenes[row]) for row in rows.tolist()]))
            noisy = add_noise(latents[rows], noise[rows], timesteps[rows])
            pieces.append((unet(noisy, timesteps[rows], context) - noise[rows]).square().mean((1, 2, 3)))
        bands[f"{low} to {high}"] = torch.cat(pieces)
    widths = torch.tensor([high - low for low, high in BANDS], dtype=torch.float32) / STEPS
    mean = (torch.stack(list(bands.values())) * widths[:, None]).sum(0)
    return {name: found.tolist() for name, found in (bands | {"mean": mean}).items()}


def ratio(one: dict[str, list[float]], other: dict[str, list[float]]) -> dict[str, list[float]]:
    """How many times the mean error of the other, scene by scene."""
    reference = sum(other["mean"]) / len(other["mean"])
    return {"mean": [1.0 + (a - b) / reference for a, b in zip(one["mean"], other["mean"], strict=True)]}


def _spread(low: int, high: int, count: int, draw: torch.Generator) -> Tensor:
    """Timesteps [count] that cover a band evenly, in random order."""
    even = low + (torch.arange(count) + 0.5) * (high - low) / count
    return even.long()[torch.randperm(count, generator=draw)]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench denoising", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=500, metavar="N", help="how many scenes (default: 500)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if options.scenes < 1:
        parser.error("--scenes must be 1 or more")
    return options
