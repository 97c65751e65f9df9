"""Seconds per image of our edit and of the editor that was distilled from such edits, in turns."""

from __future__ import annotations

import time
from functools import partial
from pathlib import Path

import torch

from ...pocket.scene import Scene
from ..hosts import in_hosts
from ..reporting.cases import Cases
from .tasks import PLAIN_TO_STRIPED


def seconds_per_image(comfyui: Path, editor: Path, number: int) -> Cases:
    """Of `number` images, one at a time, from pixels to pixels. A direction is made once for all and not counted."""
    scenes = PLAIN_TO_STRIPED.scenes(number + 1)  # the first warms up
    (seconds,) = in_hosts(comfyui, partial(_timed, editor=editor), [scenes], workers=1)
    ratios = [slow / fast for slow, fast in zip(*seconds.values(), strict=True)]
    values = {name: {"seconds": taken[1:]} for name, taken in seconds.items()}
    return values | {" / ".join(seconds): {"ratio": ratios[1:]}}


def _timed(scenes: list[Scene], bar: int, editor: Path) -> dict[str, list[float]]:
    from ..transfers.inverted import pocket_models
    from .methods import DISTILLED, OURS, methods_of
    from .subjects import Subjects

    models, methods = pocket_models(), methods_of(PLAIN_TO_STRIPED, editor)
    seconds: dict[str, list[float]] = {OURS: [], DISTILLED: []}
    with torch.inference_mode():
        for scene in scenes:
            subjects = Subjects(models, PLAIN_TO_STRIPED, (scene,))
            _ = subjects.images, subjects.direction
            for name, taken in seconds.items():
                begun = time.perf_counter()
                methods[name](subjects)
                taken.append(time.perf_counter() - begun)
    return seconds
