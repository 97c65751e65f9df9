"""Run methods of editing on scenes, batch by batch, in several processes.

A batch is the unit of work and always the same scenes, so that the noise drawn for a scene, and with it every result,
does not depend on the number of processes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from torch import Tensor
from tqdm import tqdm

from ...developer.cli_output import CliError
from ...pocket.scene import Scene
from ..hosts import in_hosts
from .tasks import Edit

if TYPE_CHECKING:
    from .methods import Method
    from .subjects import Subjects

BATCH = 8
Outputs = dict[Edit, dict[str, Tensor]]
"""edit -> method -> the edited images [scenes, H, W, 3]"""
Evaluations = dict[Edit, dict[str, float]]
"""edit -> method -> evaluations of the network per image, of the methods that are counted"""


@dataclass(frozen=True)
class Batch:
    """Scenes of an edit, the first of which has the number `first` among them all."""

    edit: Edit
    first: int
    scenes: tuple[Scene, ...]


@dataclass(frozen=True)
class Part:
    """What became of a batch: images [B, H, W, 3] and evaluations per image, by method."""

    images: dict[str, np.ndarray]
    evaluations: dict[str, float]


def run_methods(
    comfyui: Path, edits: Sequence[Edit], number: int, only: Sequence[str], editor: Path | None, workers: int
) -> tuple[Outputs, Evaluations]:
    """The outputs of every method on the first `number` scenes of each edit, or of those whose names are in `only`; and
    what they cost.

    editor: a distilled editor, which is then a method of PLAIN_TO_STRIPED too. workers: 0 is chosen by the machine.

    Raises CliError for a name that is no method's.
    """
    return run_batches(comfyui, edits, number, partial(_run_batch, only=tuple(only), editor=editor), workers)


def run_on_transformer(
    comfyui: Path, edits: Sequence[Edit], number: int, only: Sequence[str], workers: int
) -> tuple[Outputs, Evaluations]:
    """The same on the pocket transformer, by its methods."""
    return run_batches(comfyui, edits, number, partial(_run_on_transformer, only=tuple(only)), workers)


def run_batches(
    comfyui: Path, edits: Sequence[Edit], number: int, run: Callable[[Batch, int], Part], workers: int
) -> tuple[Outputs, Evaluations]:
    """Share out the scenes among processes, and put together what `run` makes of the batches."""
    batches = [
        Batch(edit, first, tuple(scenes[first : first + BATCH]))
        for edit in edits
        for scenes in [edit.scenes(number)]
        for first in range(0, number, BATCH)
    ]
    parts = in_hosts(comfyui, run, batches, workers)
    outputs: Outputs = {}
    evaluations: Evaluations = {}
    for edit in edits:
        of_edit = [part for batch, part in zip(batches, parts, strict=True) if batch.edit == edit]
        outputs[edit] = {
            name: torch.from_numpy(np.concatenate([part.images[name] for part in of_edit if name in part.images]))
            for name in of_edit[0].images
        }
        evaluations[edit] = of_edit[0].evaluations
    return outputs, evaluations


def _run_batch(batch: Batch, bar: int, only: tuple[str, ...], editor: Path | None) -> Part:
    from ..transfers.inverted import pocket_models
    from .methods import COUNTED, DISTILLED, METHODS, ON_FEWER_SCENES, methods_of
    from .subjects import Subjects

    _check_names(only, (*METHODS, DISTILLED))
    chosen = {
        name: method
        for name, method in methods_of(batch.edit, editor).items()
        if (not only or name in only) and batch.first < ON_FEWER_SCENES.get(name, batch.first + 1)
    }
    return _outputs(Subjects(pocket_models(), batch.edit, batch.scenes), chosen, COUNTED, bar)


def _run_on_transformer(batch: Batch, bar: int, only: tuple[str, ...]) -> Part:
    from ..transfers.on_transformer import transformer_models
    from .subjects import Subjects
    from .transformer_methods import SIZE, TRANSFORMER_METHODS

    _check_names(only, tuple(TRANSFORMER_METHODS))
    chosen = {name: method for name, method in TRANSFORMER_METHODS.items() if not only or name in only}
    subjects = Subjects(transformer_models(), batch.edit, batch.scenes, size=SIZE)
    return _outputs(subjects, chosen, tuple(chosen), bar)


def _check_names(only: tuple[str, ...], known: tuple[str, ...]) -> None:
    if unknown := set(only) - {*known}:
        raise CliError(f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(known)}.")


def _outputs(subjects: Subjects, methods: Mapping[str, Method], counted: tuple[str, ...], bar: int) -> Part:
    """What these methods make of the scenes, and the evaluations per image of those that are counted, an inversion of
    their own included.
    """
    from ..evaluation_counter import EvaluationCount

    part = Part({}, {})
    with torch.inference_mode():
        for name, method in tqdm(methods.items(), desc=subjects.edit.name, position=bar, leave=False):
            count = EvaluationCount(subjects.models.model.model.diffusion_model)
            images = method(replace(subjects) if name in counted else subjects)  # replaced, it has inverted nothing yet
            count.close()
            part.images[name] = images.cpu().float().numpy()
            if name in counted:
                part.evaluations[name] = sum(count.by_node.values()) / len(subjects.scenes)
    return part
