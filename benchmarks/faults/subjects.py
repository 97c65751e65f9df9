"""The files that the pack saves itself: a good one of each kind, its loader, and what has to hold of what comes out."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from ...distillation import storage as editors
from ...distillation.architecture import EditorConfig
from ...distillation.checkpoint import DistilledEditor
from ...distillation.generator import Generator
from ...distillation.pair_manifest import MANIFEST
from ...distillation.pairs import PairFolder
from ...editing import storage as directions
from ...editing.direction import EditDirection
from ...inversion import storage as inversions
from ...inversion.schedule import Schedule
from ...inversion.types import Inversion
from ...splice import storage as generators
from ...splice.checkpoint import TrainedGenerator
from ...splice.generator import SkipGenerator, initialize
from .damage import BYTES, Damage
from .damaged_pairs import other_chunks, other_lines
from .damaged_tensors import TENSORS


@dataclass(frozen=True)
class Subject:
    """One kind of file. path: where its loader looks. whole: a good file. share: of all cases.

    contained: links out of its folder are not followed.
    """

    name: str
    path: Path
    whole: bytes
    load: Callable[[], Any]
    check: Callable[[Any], str]
    damages: tuple[Damage, ...]
    fraction: float = 1.0
    contained: bool = True


def records() -> Iterator[Subject]:
    """What the pack saves itself, in the folders of ComfyUI, which runs in this process."""
    from ...host.runtime.files import DIRECTIONS, EDITORS, GENERATORS, INVERSIONS

    seeded = torch.Generator().manual_seed(0)
    trajectory = torch.randn(3, 1, 4, 6, 5, generator=seeded)
    texts: dict[str, Any] = {side: torch.randn(1, 7, 8, generator=seeded) for side in ("positive", "negative")}
    texts |= {"positive.pooled_output": torch.ones(1, 4), "positive.width": 512, "negative.guidance": None}
    plain = Inversion(
        trajectory, trajectory[:2].clone(), Schedule((14.6, 0.3, 0.0), finest=0.03), 1.0, 3.5, 7, "ddpm",
        {"architecture": "sd15", "weights": "abc"}, texts, ("a cat",),
    )  # fmt: skip
    null_text = Inversion(
        trajectory, torch.empty(0), Schedule((14.6, 0.3, 0.0), finest=0.03), 0.0, 7.5, 7, "ddim",
        {"architecture": "sd15", "weights": "abc"}, texts, (), torch.randn(2, 1, 7, 8), torch.rand(2, 1, 5),
    )  # fmt: skip
    direction = EditDirection(torch.randn(1, 7, 6), torch.randn(1, 4), "cat", "dog", {"architecture": "l"})
    splice = SkipGenerator()
    initialize(splice, 0)
    weights = splice.state_dict()
    generator = TrainedGenerator(weights, 120, {name: t.square() for name, t in weights.items()}, {"seed": "7"})
    architecture = EditorConfig(64, 1 / 64)
    editor = DistilledEditor(architecture, Generator(architecture).state_dict(), 10, 40, {}, {"pairs": "6"})
    kept: tuple[tuple[str, Any, Any, Any, float], ...] = (
        ("inversion", plain, inversions, INVERSIONS, 1.5),
        ("null text", null_text, inversions, INVERSIONS, 1.0),
        ("edit direction", direction, directions, DIRECTIONS, 1.0),
        ("Splice generator", generator, generators, GENERATORS, 0.5),
        ("distilled editor", editor, editors, EDITORS, 1.0),
    )
    for name, record, storage, folder, fraction in kept:
        content = storage.encode(record)
        path = folder.keep(f"fuzzed {name}", content)
        yield Subject(
            name, path, content, partial(_load, storage, folder, path.name), partial(_saved_again, storage),
            (*BYTES, *TENSORS * 2), fraction,
        )  # fmt: skip


def _load(storage: Any, folder: Any, name: str) -> Any:
    return storage.load(folder.path_to_load(name))


def _saved_again(storage: Any, record: Any) -> str:
    """What is read can be used: it is finite, can be saved, and has the parts that nodes ask it for."""
    storage.encode(record)
    repr(record)
    if isinstance(record, Inversion):
        embeddings = [record.embedding("positive"), record.embedding("negative"), record.x0, record.start]
        record.image(0)
        return "" if all(tensor.is_floating_point() for tensor in embeddings) else "whole numbers were taken"
    return ""


def manifest(folder: Path) -> Subject:
    """The list of a collection of pairs. No pair may get lost without a word."""
    position = folder / "manifest"
    collected = _collected(position, 4)
    path = position / MANIFEST

    def load() -> tuple[int, bool]:
        found = PairFolder(position)
        return len(found), found.torn

    def check(found: tuple[int, bool]) -> str:
        count, messages = found
        lines = [line for line in path.read_bytes().split(b"\n") if line.strip()] if path.exists() else []
        return "" if messages or count == len(lines) else f"{count} pairs of {len(lines)} lines, without a word"

    return Subject("pairs manifest", path, collected, load, check, (*BYTES, *(other_lines,) * 5), 1.5)


def image(folder: Path) -> Subject:
    """One image of a pair."""
    position = folder / "images"
    _collected(position, 1)
    pairs = PairFolder(position)
    path = position / pairs.pairs[0].before

    def check(found: Tensor) -> str:
        return "" if found.shape == (2, 3, 64, 64) and found.dtype == torch.uint8 else "no image"

    damages = (*BYTES, *(other_chunks,) * 3)
    return Subject("pair image", path, path.read_bytes(), lambda: pairs.load(pairs.pairs[0], 64), check, damages)


def _collected(position: Path, count: int) -> bytes:
    folder = PairFolder(position)
    for number in range(count):
        seeded = torch.Generator().manual_seed(number)
        folder.add(torch.rand(64, 64, 3, generator=seeded), torch.rand(64, 64, 3, generator=seeded), 0.8)
    return (position / MANIFEST).read_bytes()


@contextmanager
def _warnings() -> Iterator[list[str]]:
    """What the pack's logger says inside."""
    messages: list[str] = []

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            messages.append(record.getMessage())

    logger, listener = logging.getLogger("appearance_transfer"), Listener()
    logger.addHandler(listener)
    try:
        yield messages
    finally:
        logger.removeHandler(listener)
