"""Which deterministic inversion brings an image back on a flow model? Tuning scenes on the pocket transformer, 256 px.

`python dev.py bench flow_inversion [--scenes N] [--steps K ...]` writes results/flow_inversion.csv: for DDIM (Euler
both ways), Uni-Inv (arXiv 2504.13109) and FireFlow (arXiv 2412.07517, both ways by its own rule), at guidance 1, the
PSNR in dB against the decoded original; what it gains over DDIM, scene by scene; the error of the latents, of their
standard deviation; and the evaluations of one way. The first row is the PSNR of the decoded originals against the
images themselves. Means with 95 % bootstrap intervals over scenes of seeds from 800000 on, on which settings are
chosen.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from ..inversion.quality import psnr
from ..inversion.schedule import Schedule
from ..inversion.step import Denoise
from ..pocket.render import render
from ..pocket.scene import Scene, random_scene
from .reporting import RESULTS
from .reporting.table import as_text, write_table
from .transfers.pairs import prompt

if TYPE_CHECKING:
    from .transfers.inverted import Models

FIRST_SEED = 800_000
STEPS = (10, 14, 25)
SIZE = 256
DDIM, UNI_INV, FIREFLOW = "DDIM", "Uni-Inv", "FireFlow"
AUTOENCODER = "the autoencoder alone"
Results = dict[str, dict[str, list[float]]]
"""way of coming back -> measure -> a value per scene"""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure, write the table, say it."""
    options = _options(arguments)
    with temporary_home() as home:
        Host(installation.host, home)
        values = measured([random_scene(FIRST_SEED + index) for index in range(options.scenes)], options.steps)
    write_table(options.out / "flow_inversion.csv", values)
    echo(as_text(values))
    return 0


def measured(scenes: list[Scene], steps: list[int]) -> Results:
    """Every measure of all scenes, which are inverted as one batch, each under its noun. Needs ComfyUI."""
    from ..host.models.schedules import schedule_of
    from .transfers.on_transformer import transformer_models

    models = transformer_models()
    images = render(scenes, SIZE).image
    latent = models.encode(images)
    original = models.decode(latent)
    texts = models.conditioning([prompt(scene.species) for scene in scenes]), models.conditioning([""])
    values: Results = {AUTOENCODER: {"psnr": psnr(original, images).tolist()}}
    with torch.inference_mode():
        for count in steps:
            schedule = schedule_of(models.model, steps=count)
            euler: list[float] = []
            for way, come_back in WAYS.items():
                returned, evaluations = come_back(models, latent, texts, schedule)
                decoded = psnr(models.decode(returned), original).tolist()
                euler = euler or decoded
                values[f"{way}, {count} steps"] = {
                    "psnr": decoded,
                    "psnr_gained": [ours - plain for ours, plain in zip(decoded, euler, strict=True)],
                    "latent_error": _relative(returned, latent),
                    "evaluations": [float(evaluations)] * len(scenes),
                }
    return values


def _relative(found: Tensor, expected: Tensor) -> list[float]:
    """Root mean square error of each latent [B, C, h, w], of the standard deviation of the expected one."""
    error = (found - expected).flatten(1).pow(2).mean(1).sqrt()
    return (error / expected.flatten(1).std(1)).tolist()


def _by_solver(
    models: Models, latent: Tensor, texts: tuple[Any, Any], schedule: Schedule, solver: str
) -> tuple[Tensor, int]:
    from ..host.inversion.ddpm_and_ddim import invert_with_ddim, reconstruct

    inversion = invert_with_ddim(models.model, latent, *texts, schedule, solver=solver)
    return reconstruct(models.model, inversion), schedule.steps


def _by_fireflow(models: Models, latent: Tensor, texts: tuple[Any, Any], schedule: Schedule) -> tuple[Tensor, int]:
    from ..host.models.schedules import sigmas_tensor
    from ..host.runtime.model_runner import run_with_model

    levels = [schedule.pair(i)[1] for i in range(schedule.steps + 1)]
    latent_format = models.model.get_model_object("latent_format")

    def there_and_back(denoise: Denoise, x0: Tensor) -> Tensor:
        return fireflow(denoise, fireflow(denoise, x0, levels[::-1]), levels)

    returned = run_with_model(
        models.model, latent, there_and_back, positive=texts[0], negative=texts[1], guidance=1.0,
        sigmas=sigmas_tensor(schedule),
    )  # fmt: skip
    return latent_format.process_out(returned), schedule.steps + 1


def fireflow(denoise: Denoise, x: Tensor, levels: list[float]) -> Tensor:
    """x [B, C, h, w] from the first of these sigmas to the last, up or down, in S + 1 evaluations.

    Every step is made with the velocity at its middle, which is reached with the velocity of the middle before
    (Deng et al., arXiv 2412.07517).
    """

    def velocity(x: Tensor, sigma: float) -> Tensor:
        return (x - denoise(x, x.new_full((len(x),), sigma))) / sigma

    last = velocity(x, levels[0])
    for start, end in zip(levels, levels[1:], strict=False):
        length = end - start
        last = velocity(x + length / 2 * last, start + length / 2)
        x = x + length * last
    return x


WAYS: dict[str, Callable[[Models, Tensor, tuple[Any, Any], Schedule], tuple[Tensor, int]]] = {
    DDIM: partial(_by_solver, solver="ddim"),
    UNI_INV: partial(_by_solver, solver="uni-inv"),
    FIREFLOW: _by_fireflow,
}
"""Name -> what returns the latents after the way there and back, and the evaluations of one way; DDIM first."""


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench flow_inversion", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--scenes", type=int, default=16, metavar="N", help="how many scenes (default: 16)")
    parser.add_argument("--steps", type=int, nargs="+", default=list(STEPS), metavar="K", help="of the schedules")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    options = parser.parse_args(arguments)
    if min(options.scenes, *options.steps) < 1:
        parser.error("--scenes and --steps must be 1 or more")
    return options
