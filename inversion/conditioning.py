"""What an inversion keeps of the texts it was made under: every entry of a prompt, by its kind.

Names: "positive" and "negative" are the embeddings, [b, T, C]. "<side>.<entry>" is what a prompt holds besides, such as
"positive.pooled_output" (a tensor), "positive.width" (a number), "negative.guidance" (None),
"positive.reference_latents_method" (a text) or "positive.reference_latents" (a tuple of tensors).

Tensors of two or more dimensions have a row per image, or one for all. Those of one dimension, such as token ids, are
for all images as they are.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

Value = int | float | str | bool | None
Entry = Tensor | Value | tuple[Tensor, ...] | tuple[Value, ...]

LIST_OF_TENSORS = "tensors"
"""In a file: how many tensors "<name>.0", "<name>.1", ... are one entry."""


def tensors_of(entry: Entry) -> list[Tensor]:
    """The tensors of an entry: none, one, or several."""
    parts = entry if isinstance(entry, tuple) else (entry,)
    return [part for part in parts if isinstance(part, Tensor)]


def check_entry(name: str, entry: Entry, images: int) -> None:
    """Raises ValueError for an entry that is of no kind we keep, or whose tensors do not go with so many images."""
    parts = entry if isinstance(entry, tuple) else (entry,)
    tensors = tensors_of(entry)
    if not all(isinstance(part, (Tensor, int, float, str, type(None))) for part in parts) or (
        tensors and len(tensors) != len(parts)
    ):
        raise ValueError(
            f"The entry {name!r} of the text is neither tensors nor numbers, texts and nothing else; invert the image "
            "again."
        )
    for tensor in tensors:
        if tensor.ndim == 0 or (tensor.ndim > 1 and tensor.shape[0] not in (1, images)):
            raise ValueError(
                f"The embedding {name!r} should have 1 or {images} rows (one per image), but has the shape "
                f"{list(tensor.shape)}; invert the image again."
            )


def is_finite(entry: Entry) -> bool:
    """False when any number of it is NaN or infinite."""
    if tensors := tensors_of(entry):
        return all(bool(torch.isfinite(tensor).all()) for tensor in tensors)
    parts = entry if isinstance(entry, tuple) else (entry,)
    return all(math.isfinite(part) for part in parts if isinstance(part, (int, float)))


def select_images(entry: Entry, rows: Sequence[int]) -> Entry:
    """The entry for some of the images, in this order."""
    picked = list(rows)
    return _with_tensors(entry, [t[picked] if has_rows(t) else t for t in tensors_of(entry)])


def join_images(entries: Sequence[Entry], images: Sequence[int]) -> Entry:
    """The entry for the images of several inversions, each of so many; the entries have one `kind_of`."""

    def together(tensors: Sequence[Tensor]) -> Tensor:
        if tensors[0].ndim < 2:
            return tensors[0]
        return torch.cat([_a_row_each(tensor, count) for tensor, count in zip(tensors, images, strict=True)])

    return _with_tensors(entries[0], map(together, zip(*map(tensors_of, entries), strict=True)))


def is_same_for(entry: Entry, one: int, other: int) -> bool:
    """Whether the entry says the same of two images, bit by bit."""
    return all(torch.equal(t[one], t[other]) for t in tensors_of(entry) if has_rows(t))


def kind_of(entry: Entry) -> Any:
    """What has to be equal for entries to go into one batch: shapes without rows, and what is the same for all."""
    if isinstance(entry, Tensor):
        return tuple(entry.tolist()) if entry.ndim < 2 else tuple(entry.shape[1:])
    return tuple(map(kind_of, entry)) if isinstance(entry, tuple) else entry


def has_rows(tensor: Tensor) -> bool:
    """Whether a tensor has a row for each of several images."""
    return tensor.ndim > 1 and tensor.shape[0] > 1


def to_file(conditioning: Mapping[str, Entry]) -> tuple[dict[str, Tensor], dict[str, Any]]:
    """(tensors by name, everything else as JSON); `from_file` brings them together."""
    tensors: dict[str, Tensor] = {}
    others: dict[str, Any] = {}
    for name, entry in conditioning.items():
        if isinstance(entry, Tensor):
            tensors[name] = entry
        elif found := tensors_of(entry):
            others[name] = {LIST_OF_TENSORS: len(found)}
            tensors |= {f"{name}.{number}": tensor for number, tensor in enumerate(found)}
        else:
            others[name] = list(entry) if isinstance(entry, tuple) else entry
    return tensors, others


def from_file(tensors: Mapping[str, Tensor], others: Mapping[str, Any]) -> dict[str, Entry]:
    """The entries that `to_file` wrote. Raises ValueError for a list that lacks a tensor, and for a name of two entries
    or of none of the texts.
    """
    entries: dict[str, Entry] = dict(tensors)
    for name, value in others.items():
        if name in entries or not name.startswith(("positive.", "negative.")):
            raise ValueError(f"The text has no position for an entry {name[:80]!r}; invert the image again.")
        if isinstance(value, dict):
            parts = []
            for number in range(value[LIST_OF_TENSORS]):
                if (part := f"{name}.{number}") not in tensors:
                    raise ValueError(f"The text lacks {part[:80]!r}; invert the image again.")
                parts.append(tensors[part])
                del entries[part]
            entries[name] = tuple(parts)
        else:
            entries[name] = tuple(value) if isinstance(value, list) else value
    return entries


def _with_tensors(entry: Entry, tensors: Iterable[Tensor]) -> Entry:
    """The entry with other tensors in place of its own."""
    replaced = tuple(tensors)
    if isinstance(entry, Tensor):
        return replaced[0]
    return replaced if replaced else entry


def _a_row_each(tensor: Tensor, images: int) -> Tensor:
    return tensor.expand(images, *tensor.shape[1:]) if tensor.shape[0] == 1 else tensor
