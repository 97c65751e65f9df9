"""Run methods on pairs, batch by batch, in this process or in several, each with a host of its own.

A batch is the unit of work and always the same pairs, so that the noise drawn for a pair, and with it every result,
does not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...developer.cli_output import CliError
from ..hosts import in_hosts
from .pairs import SIZE, ScenePair, rendered

BATCH = 8


def run_methods(pairs: list[ScenePair], only: Sequence[str] = (), bar: int = 0, size: int = SIZE) -> dict[str, Tensor]:
    """The outputs [pairs, H, W, 3] of every method, or of those in `only`. Needs ComfyUI.

    Every pair is inverted once for all methods. bar: on which line the progress is shown. size: of the images, which
    chooses the network. Raises CliError for a name that is no method's.
    """
    from .inverted import invert_pairs, pocket_models
    from .methods import METHODS

    if unknown := set(only) - METHODS.keys():
        raise CliError(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(METHODS)}.")
    chosen = {name: method for name, method in METHODS.items() if not only or name in only}
    models = pocket_models(size)
    outputs: dict[str, list[Tensor]] = {name: [] for name in chosen}
    batches = _batches(pairs)
    with torch.inference_mode(), tqdm(total=len(batches) * (len(chosen) + 1), position=bar, leave=False) as progress:
        for batch in batches:
            progress.set_description("inverting")
            inverted = invert_pairs(models, rendered(batch, size))
            progress.update()
            for name, method in chosen.items():
                progress.set_description(name)
                outputs[name].append(method(models, inverted).cpu().float())
                progress.update()
    return {name: torch.cat(pieces) for name, pieces in outputs.items()}


def run_methods_in_processes(
    comfyui: Path, pairs: list[ScenePair], only: Sequence[str], workers: int, size: int = SIZE
) -> dict[str, Tensor]:
    """The same with the batches shared out to `workers` processes; 0 is chosen by the machine."""
    parts = in_hosts(comfyui, partial(_run_batch, only=tuple(only), size=size), _batches(pairs), workers)
    return {name: torch.from_numpy(np.concatenate([part[name] for part in parts])) for name in parts[0]}


def _batches(pairs: list[ScenePair]) -> list[list[ScenePair]]:
    return [pairs[first : first + BATCH] for first in range(0, len(pairs), BATCH)]


def _run_batch(pairs: list[ScenePair], bar: int, only: tuple[str, ...], size: int) -> dict[str, np.ndarray]:
    return {name: output.numpy() for name, output in run_methods(pairs, only, bar, size).items()}
