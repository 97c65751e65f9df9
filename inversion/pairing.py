"""Every structure with every appearance, as two inversions that a transfer samples side by side in one batch.

Each image is inverted once and stands in as many rows as it has partners. Where such an inversion is a reference,
its images are run once per step all the same (`without_repeats`), so that a further pair costs its own output only.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor

from .conditioning import is_same_for, join_images, kind_of, tensors_of
from .types import Inversion

ALIKE: dict[str, Callable[[Inversion], Any]] = {  # what an inversion keeps once for all its images
    "size (latent pixels)": lambda inversion: inversion.extent,
    "method": lambda inversion: inversion.method,
    "number of steps": lambda inversion: inversion.steps,
    "noise levels": lambda inversion: inversion.schedule,
    "guidance": lambda inversion: inversion.guidance,
    "eta": lambda inversion: inversion.eta,
    "model": lambda inversion: inversion.fingerprint,
    "length of the text (tokens)": lambda inversion: _kinds(inversion, of_tensors=True),
    "settings of the text": lambda inversion: _kinds(inversion, of_tensors=False),
    "null text (steps, updates)": lambda inversion: _optimized(inversion.null_text_losses),
}


@dataclass(frozen=True)
class Pairs:
    """N structures and M appearances as N*M pairs: all appearances on the first structure, then on the second.

    structures, appearances: inversions of N*M images each. structure_mask, appearance_mask: [N*M, H, W].
    """

    structures: Inversion
    appearances: Inversion
    structure_mask: Tensor
    appearance_mask: Tensor


def every_pair(
    structures: Sequence[Inversion],
    appearances: Sequence[Inversion],
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
) -> Pairs:
    """The pairs of all images of these inversions. Masks: MASK [N or 1, H, W] of the images; everywhere if None.

    Raises ValueError for inversions that cannot be in one batch, and for masks of another number.
    """
    down, across = joined(structures), joined(appearances)
    rows = [row for row in range(down.images) for _ in range(across.images)]
    columns = [column for _ in range(down.images) for column in range(across.images)]
    return Pairs(
        down.select(rows),
        across.select(columns),
        _one_for_each(structure_mask, down, "structure_mask")[rows],
        _one_for_each(appearance_mask, across, "appearance_mask")[columns],
    )


def joined(inversions: Sequence[Inversion]) -> Inversion:
    """One inversion of the images of all of them, in order; its seed is that of the first.

    Raises ValueError where they were not made alike.
    """
    first = inversions[0]
    for other in inversions[1:]:
        for what, of in ALIKE.items():
            if of(first) != of(other):
                raise ValueError(
                    f"Inversions to be put into one batch differ in their {what}: {of(first)} and {of(other)}. Invert "
                    "all images of a grid with the same model and settings, in one size, under texts of one length."
                )
    if len(inversions) == 1:
        return first

    def together(tensors: list[Tensor], dim: int) -> Tensor:
        return torch.cat([_rows(t, i.images, dim) for t, i in zip(tensors, inversions, strict=True)], dim)

    null_texts = [i.null_text for i in inversions if i.null_text is not None]
    losses = [i.null_text_losses for i in inversions if i.null_text_losses is not None]
    thumbnails = [i.thumbnail for i in inversions if i.thumbnail is not None]
    alike = len(thumbnails) == len(inversions) and len({tuple(t.shape[1:]) for t in thumbnails}) == 1
    return replace(
        first,
        thumbnail=torch.cat(thumbnails) if alike else None,
        trajectory=together([i.trajectory for i in inversions], 1),
        noise_maps=together([i.noise_maps for i in inversions], 1) if first.method == "ddpm" else first.noise_maps,
        conditioning={
            name: join_images([i.conditioning[name] for i in inversions], [i.images for i in inversions])
            for name in first.conditioning
        },
        prompts=_prompts(inversions),
        null_text=together(null_texts, 1) if null_texts else None,
        null_text_losses=together(losses, 1) if losses else None,
    )


def _prompts(inversions: Sequence[Inversion]) -> tuple[str, ...]:
    """One prompt per image; none where those of any inversion are not known."""
    if not all(inversion.prompts for inversion in inversions):
        return ()
    each = (i.prompts * (i.images if len(i.prompts) == 1 else 1) for i in inversions)
    return tuple(prompt for prompts in each for prompt in prompts)


def without_repeats(inversion: Inversion) -> tuple[Inversion, list[int]]:
    """The inversion of the distinct images, and for each image of `inversion` which of them it is.

    Two images are one where their latents, noise maps and texts are equal, bit by bit.
    """
    kept: list[int] = []
    which: list[int] = []
    for image in range(inversion.images):
        same = next(
            (position for position, other in enumerate(kept) if _is_repeated(inversion, image, other)), len(kept)
        )
        if same == len(kept):
            kept.append(image)
        which.append(same)
    return (inversion if len(kept) == inversion.images else inversion.select(kept)), which


def _is_repeated(inversion: Inversion, one: int, other: int) -> bool:
    if not torch.equal(inversion.start[one], inversion.start[other]):  # tells most images apart at once
        return False
    of_images = [inversion.trajectory.movedim(1, 0), *inversion.conditioning.values()]
    if inversion.method == "ddpm":
        of_images.append(inversion.noise_maps.movedim(1, 0))
    return all(is_same_for(entry, one, other) for entry in of_images)


def _kinds(inversion: Inversion, *, of_tensors: bool) -> dict[str, Any]:
    entries = inversion.conditioning.items()
    return {name: kind_of(entry) for name, entry in entries if bool(tensors_of(entry)) == of_tensors}


def _optimized(losses: Tensor | None) -> tuple[int, int] | None:
    return None if losses is None else (losses.shape[0], losses.shape[-1])


def _rows(tensor: Tensor, count: int, dim: int) -> Tensor:
    """One row per image, where one may stand for all."""
    return tensor.repeat_interleave(count, dim) if tensor.shape[dim] == 1 else tensor


def _one_for_each(mask: Tensor | None, inversion: Inversion, name: str) -> Tensor:
    if mask is None:
        return torch.ones(inversion.images, *inversion.size)
    if len(mask) not in (1, inversion.images):
        raise ValueError(
            f"The {name} holds {len(mask)} masks for {inversion.images} images. Connect one mask for all, or one "
            "for each in the order of the images (Batch Masks)."
        )
    return _rows(mask, inversion.images, 0)
