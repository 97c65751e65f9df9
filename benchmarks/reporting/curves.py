"""Curves side by side, with the machine below: figures of the report."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from matplotlib.figure import Figure

from .origin import here_and_now, note

PANEL = 4.2, 3.2
"""Width and height in inches."""
DOTS = 110  # per inch


@dataclass(frozen=True)
class Panel:
    """One pair of axes. lines: name -> (x, y) from left to right. log: of y, for what grows by powers."""

    x: str
    y: str
    lines: Mapping[str, Sequence[tuple[float, float]]]
    log: bool = False


def write_curves(path: Path, title: str, panels: Sequence[Sequence[Panel]]) -> None:
    """Draw rows of panels under a title, as many in every row. A name has one color in all of them."""
    width, height = PANEL
    figure = Figure((width * len(panels[0]), height * len(panels)), dpi=DOTS, layout="constrained")
    figure.suptitle(title, fontsize="medium")
    names = list(dict.fromkeys(name for row in panels for panel in row for name in panel.lines))
    for row, axes_of_row in zip(panels, figure.subplots(len(panels), len(panels[0]), squeeze=False), strict=True):
        for panel, axes in zip(row, axes_of_row, strict=True):
            for name, points in panel.lines.items():
                axes.plot(*zip(*points, strict=True), marker="o", label=name, color=f"C{names.index(name)}")
            axes.set(xlabel=panel.x, ylabel=panel.y, yscale="log" if panel.log else "linear")
            axes.set_xticks(sorted({x for points in panel.lines.values() for x, _ in points}))
            if not panel.log:
                axes.set_ylim(bottom=0)
            axes.grid(alpha=0.3)
            axes.legend(fontsize="small")
    origin = here_and_now()
    figure.supxlabel(
        f"{origin.date}, commit {origin.commit}, {origin.machine},\n{origin.versions}", fontsize="xx-small"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    note(path)
