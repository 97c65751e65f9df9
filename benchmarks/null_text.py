"""Does null-text inversion bring an image back under guidance, and what does it cost? Held-out pocket scenes.

`python dev.py bench null_text [--scenes N] [--steps K]` writes results/null_text.csv: the PSNR in dB, against the
decoded original, of DDIM inversion sampled back without and with guidance, of null-text inversion with it, also with
fewer updates and steps, and of noise maps, which need no null text; the evaluations of the network and the seconds that
inverting takes, of an image in a batch of all scenes; and what null text gains over DDIM at that guidance, scene by
scene. Means with 95 % bootstrap intervals over scenes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from ..inversion.null_text import NullTextSettings
from ..inversion.quality import psnr
from ..inversion.types import Inversion
from ..pocket.render import render
from ..pocket.scene import Scene, random_scene
from .reporting import RESULTS
from .reporting.table import as_text, write_table
from .transfers.pairs import FIRST_SEED, SIZE, prompt

if TYPE_CHECKING:
    from .transfers.inverted import Models

STEPS = 50
FEW = 0.4
"""Of the steps, in the rows with fewer: 20 of 50."""
SETTINGS = NullTextSettings()
UPDATES = 3
"""Of the paper's 10, in the rows with fewer."""
FREE, GUIDED, NULL_TEXT = (
    "DDIM, guidance 1",
    f"DDIM, guidance {SETTINGS.guidance:g}",
    f"null text, guidance {SETTINGS.guidance:g}",
)
NOISE_MAPS = f"noise maps, guidance {SETTINGS.guidance:g}"
Results = dict[str, dict[str, list[float]]]
"""way of coming back -> measure -> a value per scene"""
Invert = Callable[..., Inversion]
"""invert(model, latents, positive, negative, schedule)"""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure, write the table, say it."""
    options = _options(arguments)
    with temporary_home() as home:
        Host(installation.host, home)
        values = measured(held_out_scenes(options.scenes), options.steps)
    write_table(options.out / "null_text.csv", values)
    echo(as_text(values))
    return 0


def held_out_scenes(count: int) -> list[Scene]:
    """The first `count` scenes of the seeds that no trainer draws from."""
    return [random_scene(FIRST_SEED + index) for index in range(count)]


def measured(scenes: list[Scene], steps: int = STEPS) -> Results:
    """Every measure of every scene, all in one batch. Needs ComfyUI."""
    from ..host.models.schedules import schedule_of
    from .evaluation_counter import EvaluationCount
    from .transfers.inverted import pocket_models

    models = pocket_models()
    values: Results = {}
    with torch.inference_mode():
        latents = models.encode(render(scenes, SIZE).image)
        texts = models.conditioning([prompt(scene.species) for scene in scenes]), models.conditioning([""])
        for way, (number, invert) in _ways(steps).items():
            count, begun = EvaluationCount(models.model.model.diffusion_model), time.perf_counter()
            inversion = invert(models.model, latents, *texts, schedule_of(models.model, steps=number))
            seconds = time.perf_counter() - begun
            count.close()
            values[way] = {
                "psnr": _came_back(models, inversion),
                "evaluations": [sum(count.by_node.values()) / len(scenes)] * len(scenes),
                "seconds": [seconds / len(scenes)] * len(scenes),
            }
    pairs = zip(values[NULL_TEXT]["psnr"], values[GUIDED]["psnr"], strict=True)
    values[NULL_TEXT]["psnr_gained"] = [ours - plain for ours, plain in pairs]
    return values


def _ways(steps: int) -> dict[str, tuple[int, Invert]]:
    """By name: how many steps, and how to invert."""
    from ..host.inversion.ddpm_and_ddim import invert_with_ddim, invert_with_ddpm
    from ..host.inversion.null_text import invert_with_null_text

    def guided(*task: Any) -> Inversion:
        return replace(invert_with_ddim(*task), guidance=SETTINGS.guidance)

    fully, shortly = (
        partial(invert_with_null_text, settings=settings) for settings in (SETTINGS, replace(SETTINGS, updates=UPDATES))
    )
    few = max(1, round(steps * FEW))
    return {
        FREE: (steps, invert_with_ddim),
        GUIDED: (steps, guided),
        NULL_TEXT: (steps, fully),
        f"{NULL_TEXT}, {UPDATES} updates": (steps, shortly),
        f"{NULL_TEXT}, {few} steps": (few, fully),
        f"{NULL_TEXT}, {few} steps, {UPDATES} updates": (few, shortly),
        f"{FREE}, {few} steps": (few, invert_with_ddim),
        f"{NOISE_MAPS}, {few} steps": (few, partial(invert_with_ddpm, guidance=SETTINGS.guidance)),
    }


def _came_back(models: Models, inversion: Inversion) -> list[float]:
    """PSNR of the replayed images, both sides decoded."""
    from ..host.inversion.ddpm_and_ddim import reconstruct

    latent_format = models.model.get_model_object("latent_format")
    original = models.decode(latent_format.process_out(inversion.x0))
    return [float(value) for value in psnr(models.decode(reconstruct(models.model, inversion)), original)]


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench null_text", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=6, metavar="N", help="how many scenes (default: 6)")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="K", help=f"of the schedule (default: {STEPS})")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    options = parser.parse_args(arguments)
    if min(options.scenes, options.steps) < 1:
        parser.error("--scenes and --steps must be 1 or more")
    return options
