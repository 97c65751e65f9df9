"""A file of tensors that is open: which there are, where each of them stands, and the numbers when they are wanted."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import BinaryIO

import torch
from torch import Tensor

FLOATS = (torch.float16, torch.bfloat16, torch.float32, torch.float64)
"""The types of numbers that we calculate with."""


@dataclass(frozen=True)
class Stored:
    """One tensor in a file, row-major. begin: its first byte, counted from the beginning of the file."""

    dtype: torch.dtype
    shape: tuple[int, ...]
    begin: int

    @property
    def bytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


@dataclass(frozen=True)
class TensorTable:
    """tensors: by name, none of them reaching beyond the end of the file. metadata: texts that stand beside them."""

    file: BinaryIO
    tensors: Mapping[str, Stored]
    metadata: Mapping[str, str] = field(default_factory=dict)

    def on_meta(self, selected: Callable[[str], bool] = bool) -> dict[str, Tensor]:
        """The tensors whose names are wanted, without numbers: types and shapes, to be judged before they are read."""
        return {
            name: torch.empty(stored.shape, dtype=stored.dtype, device="meta")
            for name, stored in self.tensors.items()
            if selected(name)
        }

    def read(self, names: Iterable[str]) -> dict[str, Tensor]:
        """Tensors with their numbers, on the CPU, in memory of their own. Raises ValueError for what cannot be read."""
        return {name: self._read(name) for name in names}

    def _read(self, name: str) -> Tensor:
        stored = self.tensors[name]
        try:
            flat = torch.empty(stored.bytes, dtype=torch.uint8)
            self.file.seek(stored.begin)
            complete = self.file.readinto(flat.numpy()) == stored.bytes  # type: ignore[attr-defined]
        except (OSError, RuntimeError) as error:
            raise ValueError(f"cannot be read: {name!r} of {stored.bytes / 2**20:.0f} MiB ({error})") from error
        if not complete:
            raise ValueError(f"is cut off within {name!r}")
        return flat.view(stored.dtype).view(stored.shape)
