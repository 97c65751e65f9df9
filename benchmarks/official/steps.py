"""When the reference loop of Cross-Image Attention does what: in executed steps, counted from 0 (arXiv 2311.03335;
ee2080c).

It compares a counter that lags one step behind, so that its "10 <= step < 70" is steps 11..70 here.
"""

from __future__ import annotations

from ...attention.windows import Window
from ...inversion.schedule import leading_timesteps
from .task import Task

GUIDANCE_FIRST, GUIDANCE_LAST = 10, 90
ADAIN_FIRST, ADAIN_LAST = 20, 99
STRUCTURE_EVERY, STRUCTURE_UNTIL = 5, 40


def reads_structure(i: int, first: int) -> bool:
    """Whether step i takes keys and values from the structure: every fifth from the first with cross-image
    attention.
    """
    return first <= i <= STRUCTURE_UNTIL and (i - first) % STRUCTURE_EVERY == 0


def percent_before(task: Task, step: int) -> float:
    """Where in the schedule of Stable Diffusion's U-Nets an executed step of a task begins to be inside of a window."""
    timesteps, number = leading_timesteps(task.steps), task.start_at + step
    if number <= 0:
        return 0.0
    if number >= len(timesteps):
        return 1.0
    return 1 - (timesteps[number] + timesteps[number - 1]) / 2 / 999


def window_from(task: Task, first: int) -> Window:
    """From this executed step of a task to the end."""
    return Window(percent_before(task, first), 1.0)
