"""Ours beside the reference loop of Cross-Image Attention in one run: U-Net evaluations, seconds, peak memory.

`python dev.py bench official_cost [--case NAME ...]` writes results/official_cost.csv. One pair, from encoded images
(noise: what they show costs nothing) to the latent of the output, inversions included, on the pocket checkpoint in
fp32. The reference loop (official/loop.py) makes the forwards of the authors' code and whole attention maps. Ours runs
with the paper's settings, and with the nodes' defaults: 20 steps, whatever the reference loop has. The sides take
turns, each run in a fresh process of its own; shares are of two runs next to each other. Larger images stand in
`bench scaling`.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable, Collection, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from unittest import mock

import torch
from torch import Tensor

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import has_accelerator, temporary_home
from .measuring.fresh_process import in_fresh_process
from .measuring.peak_memory import MEBIBYTE, memory_rise
from .official.task import Task
from .reporting import RESULTS
from .reporting.table import as_text, write_table
from .transfers.pairs import prompt

if TYPE_CHECKING:
    from .transfers.inverted import Models

REFERENCE_CODE, OURS, REPLAYED = "reference code", "ours", "ours, references replayed"
DEFAULTS, NOTHING_GIVEN = "our defaults (20 steps)", "our defaults (20 steps), object and matches found"
EVALUATIONS, SECONDS, CPU_SECONDS, MEMORY = "evaluations", "seconds", "cpu seconds", "peak MiB"
Measures = dict[str, float]
LATENT_PIXEL, LATENT_CHANNELS = 8, 4


@dataclass(frozen=True)
class Case:
    """A size in pixels and a schedule; `first` is the first executed step that reads a reference.

    sides: those to measure besides the reference loop. most_repeats: of each, since some take minutes.
    """

    size: int
    steps: int = 100
    start_at: int = 32
    first: int = 11
    sides: tuple[str, ...] = (DEFAULTS, NOTHING_GIVEN, OURS, REPLAYED)
    most_repeats: int = 3


SHORT = {"steps": 5, "start_at": 2, "first": 1}
"""A schedule with a step of each kind, for sizes that take long: one that reads nothing, the structure, appearances."""
CASES = {"128 px, 100 steps": Case(128), "256 px, 100 steps": Case(256, sides=(DEFAULTS,), most_repeats=1)}


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure both sides in turns, write the table, say it."""
    options = options_of(arguments, "official_cost", __doc__ or "", CASES)
    values: dict[str, dict[str, list[float]]] = {}
    for name in options.case or CASES:
        case = CASES[name]
        taken: dict[str, list[Measures]] = {side: [] for side in (REFERENCE_CODE, *case.sides)}
        for _ in range(min(options.repeats, case.most_repeats)):
            for side, runs in taken.items():
                runs.append(in_fresh_process(measured, installation.host, side, case))
                echo(f"{side}, {name}: {in_words(runs[-1])}")
        values |= {f"{side}, {name}": by_measure(runs) for side, runs in taken.items()}
        values |= {
            f"{side} / {REFERENCE_CODE}, {name}": ratios(taken[side], taken[REFERENCE_CODE]) for side in case.sides
        }
        write_table(options.out / "official_cost.csv", values)
    echo(as_text(values))
    return 0


def in_words(found: Measures) -> str:
    """One line for a terminal."""
    return ", ".join(f"{measure} {value:.1f}" for measure, value in found.items())


def measured(comfyui: Path, side: str, case: Case, appearances: int = 1) -> Measures:
    """What one transfer costs. For a fresh process: it starts ComfyUI."""
    with temporary_home() as home:
        Host(comfyui, home)
        from .transfers.inverted import pocket_models

        models = pocket_models()
        with torch.inference_mode():
            task = noise_task(models, case, appearances)
            return cost_of(models.model, way(side), task, rehearsal(task))


def cost_of(model: Any, work: Callable[[Any, Any], object], task: object, rehearsal: object) -> Measures:
    """What `work(model, task)` costs, after a rehearsal that loads what is loaded on first use. Needs ComfyUI."""
    from .evaluation_counter import EvaluationCount

    with _without_advice():
        work(model, rehearsal)
        count = EvaluationCount(model.model.diffusion_model)
        begun, cpu_begun = time.perf_counter(), time.process_time()
        rise = memory_rise(partial(work, model, task), "cuda" if has_accelerator() else "cpu")
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    evaluations = sum(count.by_node.values())
    return {EVALUATIONS: evaluations, SECONDS: seconds, CPU_SECONDS: cpu_seconds, MEMORY: rise / MEBIBYTE}


@contextmanager
def _without_advice() -> Iterator[None]:
    """Within, no image is compared with the pocket world, which its checkpoint alone asks for: it reads a file and runs
    an autoencoder, and takes as long as twenty evaluations of a network this small. Needs ComfyUI.
    """
    from ..host.inversion import ddpm_and_ddim, reference

    with ExitStack() as stack:
        for module in (ddpm_and_ddim, reference):
            stack.enter_context(mock.patch.object(module, "tell_if_far", lambda model, latent: None))
        yield


def way(side: str) -> Callable[[Any, Task], Tensor]:
    """(model, task) -> output of one of the sides. Needs ComfyUI."""
    from .official import loop, ours

    return {
        REFERENCE_CODE: loop.transfer,
        OURS: ours.transfer,
        REPLAYED: partial(ours.transfer, replayed=True),
        DEFAULTS: ours.by_default,
        NOTHING_GIVEN: partial(ours.by_default, find=True),
    }[side]


def noise_task(models: Models, case: Case, appearances: int) -> Task:
    """Images of noise, seed 0, in the VAE's scale."""
    generator, side = torch.Generator().manual_seed(0), case.size // LATENT_PIXEL
    structure, *appearance_latents = torch.randn(1 + appearances, 1, LATENT_CHANNELS, side, side, generator=generator)
    texts = models.conditioning([prompt("horse")]), models.conditioning([""])
    return Task(structure, tuple(appearance_latents), *texts, case.steps, case.start_at, case.first)


def rehearsal(task: Task) -> Task:
    """A corner of the images in a few steps: loads what is loaded on first use, and takes hardly any memory."""
    corners = tuple(image[..., :8, :8] for image in task.appearances)
    return replace(task, structure=task.structure[..., :8, :8], appearances=corners, steps=4, start_at=1, first=1)


def by_measure(runs: list[Measures]) -> dict[str, list[float]]:
    """The runs of one side as a table takes them."""
    return {measure: [run[measure] for run in runs] for measure in runs[0]}


def ratios(ours: list[Measures], released: list[Measures]) -> dict[str, list[float]]:
    """By measure, of runs next to each other; without what the reference loop does not need any of."""
    measures = [measure for measure in ours[0] if all(run[measure] for run in released)]
    pairs = list(zip(ours, released, strict=True))
    return {measure: [mine[measure] / theirs[measure] for mine, theirs in pairs] for measure in measures}


def options_of(arguments: list[str], name: str, about: str, cases: Collection[str]) -> argparse.Namespace:
    """case, repeats, out: what a measurement in turns can be told."""
    parser = argparse.ArgumentParser(prog=f"dev.py bench {name}", description=about.splitlines()[0])
    parser.add_argument("--case", nargs="+", choices=cases, metavar="NAME", help=f"of: {', '.join(cases)} (all)")
    parser.add_argument("--repeats", type=int, default=2, metavar="N", help="runs of each side (default: 2)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the result goes")
    options = parser.parse_args(arguments)
    if options.repeats < 1:
        parser.error("--repeats must be 1 or more")
    return options
