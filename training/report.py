"""What a training says of its steps, and how it says that it cannot go on."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True)
class Report:
    """What one step found, before its update. terms: the losses of this step, unweighted."""

    step: int
    loss: float
    terms: Mapping[str, float]


class Diverged(ValueError):
    """The loss or its gradient is no number. The training has gone back to before that showed."""
