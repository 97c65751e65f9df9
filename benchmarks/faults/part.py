"""What a part of the reliability benchmark is given, and what it says of every case."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from ...developer.in_process import Host


@dataclass(frozen=True)
class Result:
    """One case. kind: the row of the table that it counts in. failure: what was not as promised, else empty."""

    kind: str
    failure: str = ""


@dataclass(frozen=True)
class Setting:
    """Where and how large. comfyui: ComfyUI's folder. home: an empty folder, for ComfyUI booted by `host` or otherwise.

    count: about how many cases to try. seed: of everything that is drawn.
    """

    comfyui: Path
    home: Path
    count: int
    seed: int

    @cached_property
    def draw(self) -> random.Random:
        """The source of everything that is drawn in this part."""
        return random.Random(self.seed)

    def host(self) -> Host:
        """ComfyUI in this process with the pack; one, shared by all parts of a run."""
        if not _booted:
            from ...developer.in_process import Host

            _booted.append(Host(self.comfyui, self.home))
        return _booted[0]


_booted: list[Host] = []

Part = Callable[[Setting], Iterator[Result]]
