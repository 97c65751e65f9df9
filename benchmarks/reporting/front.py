"""Settings of a method as points: evaluations against error, the silhouette as color."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from matplotlib.figure import Figure
from matplotlib.ticker import LogLocator, NullFormatter, ScalarFormatter

from .origin import here_and_now, note

PANEL = 5.6, 4.4
"""Width and height in inches."""
DOTS = 110  # per inch
Front = list[tuple[float, float, float, str]]
"""Evaluations, error, silhouette IoU and name of every setting."""


def write_front(path: Path, title: str, fronts: Mapping[str, Front]) -> None:
    """Draw a panel per method."""
    width, height = PANEL
    figure = Figure((width * len(fronts), height), dpi=DOTS, layout="constrained")
    figure.suptitle(title, fontsize="medium")
    points = [point for settings in fronts.values() for point in settings]
    lowest, highest = min(point[2] for point in points), max(point[2] for point in points)
    for axes, (method, settings) in zip(figure.subplots(1, len(fronts), squeeze=False)[0], fronts.items(), strict=True):
        evaluations, errors, silhouettes, names = zip(*settings, strict=True)
        drawn = axes.scatter(evaluations, errors, c=silhouettes, vmin=lowest, vmax=highest, cmap="viridis", zorder=2)
        for x, y, name in zip(evaluations, errors, names, strict=True):
            axes.annotate(name, (x, y), xytext=(4, 4), textcoords="offset points", fontsize="xx-small")
        axes.set(title=method, xlabel="evaluations a pair", ylabel="part-color error", xscale="log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
        axes.xaxis.set_major_formatter(ScalarFormatter())
        axes.xaxis.set_minor_formatter(NullFormatter())
        axes.grid(alpha=0.3)
        figure.colorbar(drawn, ax=axes, label="silhouette IoU")
    origin = here_and_now()
    figure.supxlabel(
        f"{origin.date}, commit {origin.commit}, {origin.machine},\n{origin.versions}", fontsize="xx-small"
    )
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path)
    note(path)
