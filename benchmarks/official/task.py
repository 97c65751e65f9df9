"""One transfer to do, as ours and the reference loop both take it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from torch import Tensor


@dataclass(frozen=True, eq=False)
class Task:
    """Images [1, C, h, w] in the VAE's scale, one prompt for all of them, and the empty text, as CONDITIONING.

    steps, start_at: of the schedule. first: the first executed step that reads a reference.
    """

    structure: Tensor
    appearances: tuple[Tensor, ...]
    positive: list[Any]
    negative: list[Any]
    steps: int = 100
    start_at: int = 32
    first: int = 11
