"""Run methods of editing on scenes, batch by batch, in several processes.

A batch is the unit of work and always the same scenes, so that the noise drawn for a scene, and with it every result,
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
from ...pocket.scene import Scene
from ..hosts import in_hosts
from .tasks import Edit

BATCH = 8
Batch = tuple[Edit, tuple[Scene, ...]]
Outputs = dict[Edit, dict[str, Tensor]]
"""edit -> method -> the edited images [scenes, H, W, 3]"""


def run_methods(
    comfyui: Path, edits: Sequence[Edit], number: int, only: Sequence[str], editor: Path | None, workers: int
) -> Outputs:
    """The outputs of every method on the first `number` scenes of each edit, or of those whose names are in `only`.

    editor: a distilled editor, which is then a method of PLAIN_TO_STRIPED too. workers: 0 is chosen by the machine.

    Raises Trouble for a name that is no method's.
    """
    batches = [
        (edit, tuple(scenes[first : first + BATCH]))
        for edit in edits
        for scenes in [edit.scenes(number)]
        for first in range(0, number, BATCH)
    ]
    parts = in_hosts(comfyui, partial(_run_batch, only=tuple(only), editor=editor), batches, workers)
    outputs: Outputs = {}
    for edit in edits:
        of_edit = [part for (of, _), part in zip(batches, parts, strict=True) if of == edit]
        outputs[edit] = {
            name: torch.from_numpy(np.concatenate([part[name] for part in of_edit])) for name in of_edit[0]
        }
    return outputs


def _run_batch(batch: Batch, bar: int, only: tuple[str, ...], editor: Path | None) -> dict[str, np.ndarray]:
    from ..transfers.inverted import pocket_models
    from .methods import DISTILLED, METHODS, methods_of
    from .subjects import Subjects

    if unknown := set(only) - {*METHODS, DISTILLED}:
        raise CliError(
            f"There is no method {', '.join(sorted(unknown))}; there are: {', '.join(METHODS)}, {DISTILLED}."
        )
    edit, scenes = batch
    methods = methods_of(edit, editor)
    chosen = {name: method for name, method in methods.items() if not only or name in only}
    outputs = {}
    with torch.inference_mode():
        subjects = Subjects(pocket_models(), edit, scenes)
        for name, method in tqdm(chosen.items(), desc=edit.name, position=bar, leave=False):
            outputs[name] = method(subjects).cpu().float().numpy()
    return outputs
