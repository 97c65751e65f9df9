"""Does null-text inversion bring an image back under guidance? Pocket scenes that no training has seen.

`python dev.py bench null_text [--scenes N] [--steps K]` writes results/null_text.csv: the PSNR in dB, against the
decoded original, of DDIM inversion sampled back without and with guidance, and of null-text inversion with it; what
null text gains over DDIM at that guidance, scene by scene; and the seconds that inverting an image takes on this
machine. Means with 95 % bootstrap intervals over scenes.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

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
SETTINGS = NullTextSettings()
FREE, GUIDED, NULL_TEXT = (
    "DDIM, guidance 1",
    f"DDIM, guidance {SETTINGS.guidance:g}",
    f"null text, guidance {SETTINGS.guidance:g}",
)
Results = dict[str, dict[str, list[float]]]
"""way of coming back -> measure -> a value per scene"""


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
    """Every measure of every scene, one after the other. Needs ComfyUI."""
    from .transfers.inverted import pocket_models

    models = pocket_models()
    values: Results = {
        FREE: {"psnr": [], "seconds": []},
        GUIDED: {"psnr": [], "seconds": []},
        NULL_TEXT: {"psnr": [], "seconds": [], "psnr_gained": []},
    }
    with torch.inference_mode():
        for scene in scenes:
            ddim, null_text, seconds = _inverted(models, scene, steps)
            ways = {FREE: ddim, GUIDED: replace(ddim, guidance=SETTINGS.guidance), NULL_TEXT: null_text}
            for way, inversion in ways.items():
                values[way]["psnr"].append(_came_back(models, inversion))
                values[way]["seconds"].append(seconds[inversion.null_text is not None])
    pairs = zip(values[NULL_TEXT]["psnr"], values[GUIDED]["psnr"], strict=True)
    values[NULL_TEXT]["psnr_gained"] = [ours - plain for ours, plain in pairs]
    return values


def _inverted(models: Models, scene: Scene, steps: int) -> tuple[Inversion, Inversion, tuple[float, float]]:
    """(DDIM inversion, null-text inversion, the seconds of both)."""
    from ..host.inversion.ddpm_and_ddim import invert_with_ddim
    from ..host.inversion.null_text import invert_with_null_text
    from ..host.models.schedules import schedule_of

    latent = models.encode(render([scene], SIZE).image)
    texts = models.conditioning([prompt(scene.species)]), models.conditioning([""])
    schedule = schedule_of(models.model, steps=steps)
    ddim, plain_seconds = _timed(lambda: invert_with_ddim(models.model, latent, *texts, schedule))
    null_text, seconds = _timed(lambda: invert_with_null_text(models.model, latent, *texts, schedule, SETTINGS))
    return ddim, null_text, (plain_seconds, seconds)


def _timed(invert: Callable[[], Inversion]) -> tuple[Inversion, float]:
    start = time.perf_counter()
    return invert(), time.perf_counter() - start


def _came_back(models: Models, inversion: Inversion) -> float:
    """PSNR of the replayed image, both decoded."""
    from ..host.inversion.ddpm_and_ddim import reconstruct

    latent_format = models.model.get_model_object("latent_format")
    original = models.decode(latent_format.process_out(inversion.x0))
    return float(psnr(models.decode(reconstruct(models.model, inversion)), original))


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench null_text", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=8, metavar="N", help="how many scenes (default: 8)")
    parser.add_argument("--steps", type=int, default=STEPS, metavar="K", help=f"of the schedule (default: {STEPS})")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    options = parser.parse_args(arguments)
    if min(options.scenes, options.steps) < 1:
        parser.error("--scenes and --steps must be 1 or more")
    return options
