"""pix2pix-zero beside its reference loop in one run: U-Net evaluations, seconds, peak memory.

`python dev.py bench edit_cost [--case NAME ...]` writes results/edit_cost.csv. One image, from its latent (noise:
what it shows costs nothing) to the latent of its edit, regularized inversion included, on the pocket checkpoint in
fp32. The reference loop stands in official/edit_loop.py. The sides take turns, each run in a fresh process of its own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from pathlib import Path

import torch

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from .measuring.fresh_process import in_fresh_process
from .official_cost import (
    LATENT_CHANNELS,
    LATENT_PIXEL,
    OURS,
    REFERENCE_CODE,
    Measures,
    by_measure,
    cost_of,
    options_of,
    ratios,
)
from .reporting.table import as_text, write_table
from .transfers.pairs import prompt


@dataclass(frozen=True)
class Case:
    """A size in pixels and a number of steps."""

    size: int
    steps: int


CASES = {"128 px, 50 steps": Case(128, 50), "256 px, 3 steps": Case(256, 3)}


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure both sides in turns, write the table, say it."""
    options = options_of(arguments, "edit_cost", __doc__ or "", CASES)
    values: dict[str, dict[str, list[float]]] = {}
    for name in options.case or CASES:
        taken: dict[str, list[Measures]] = {REFERENCE_CODE: [], OURS: []}
        for _ in range(options.repeats):
            for side, runs in taken.items():
                runs.append(in_fresh_process(measured, installation.host, side, CASES[name]))
        values |= {f"{side}, {name}": by_measure(runs) for side, runs in taken.items()}
        values[f"{OURS} / {REFERENCE_CODE}, {name}"] = ratios(taken[OURS], taken[REFERENCE_CODE])
    write_table(options.out / "edit_cost.csv", values)
    echo(as_text(values))
    return 0


def measured(comfyui: Path, side: str, case: Case) -> Measures:
    """What one edit costs. For a fresh process: it starts ComfyUI."""
    with temporary_home() as home:
        Host(comfyui, home)
        from .official import edit_loop
        from .transfers.inverted import pocket_models

        models = pocket_models()
        way, timesteps = {REFERENCE_CODE: (edit_loop.released, "reference"), OURS: (edit_loop.ours, "consistent")}[side]
        pixels = case.size // LATENT_PIXEL
        image = torch.randn(1, LATENT_CHANNELS, pixels, pixels, generator=torch.Generator().manual_seed(0))
        texts = (models.conditioning([prompt(word)]) for word in ("horse", "cow"))
        with torch.inference_mode():
            task = edit_loop.EditTask(image, *texts, case.steps, timesteps)
            rehearsal = replace(task, image=image[..., :8, :8], steps=3)
            return cost_of(models.model, way, task, rehearsal)
