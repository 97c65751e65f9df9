"""Whether the parts of an inversion fit together. Every function raises ValueError where they do not."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Literal, get_args

from torch import Tensor

Method = Literal["ddpm", "ddim", "uni-inv", "noised"]
"""How an inversion was made; or that an image was only noised."""

METHODS: tuple[str, ...] = get_args(Method)


def check_path(method: str, steps: int, trajectory: Tensor, noise_maps: Tensor) -> None:
    """trajectory: [S+1, B, C, h, w] of S steps. noise_maps: [S, B, C, h, w] of a "ddpm" inversion, else [0]."""
    if method not in METHODS:
        raise ValueError(
            f"An inversion is made by one of {', '.join(METHODS[:-1])}, or an image is noised, but this one says "
            f"{method!r}; invert the image again."
        )
    if not (trajectory.is_floating_point() and noise_maps.is_floating_point()):
        raise ValueError(
            "The trajectory and the noise maps must be floating-point numbers, but are "
            f"{trajectory.dtype} and {noise_maps.dtype}; invert the image again."
        )
    shape = list(trajectory.shape)
    if len(shape) != 5 or shape[0] != steps + 1 or min(shape) == 0:
        raise ValueError(
            f"The trajectory of a {steps}-step inversion has the shape [{steps + 1}, images, channels, height, "
            f"width], but this one has {shape}; invert the image again."
        )
    expected = [steps, *shape[1:]] if method == "ddpm" else [0]
    if list(noise_maps.shape) != expected:
        raise ValueError(
            f"The noise maps of this {method.upper()} inversion should have the shape {expected}, but have "
            f"{list(noise_maps.shape)}; invert the image again."
        )


def check_numbers(eta: float, guidance: float) -> None:
    """eta in 0..1, the guidance finite."""
    if not (0 <= eta <= 1 and math.isfinite(guidance)):
        raise ValueError(
            f"eta must lie in 0..1 and the guidance be a number, but they are {eta} and {guidance}; "
            "invert the image again."
        )


def check_prompts(prompts: Sequence[str], images: int) -> None:
    """The words of the texts: none, one for all images, or one for each."""
    if len(prompts) not in (0, 1, images):
        raise ValueError(
            f"The inversion holds {len(prompts)} prompts and {images} images; there must be one for all or "
            "one for each. Invert the images again."
        )


def check_embeddings(method: str, steps: int, images: int, embeddings: Tensor | None, losses: Tensor | None) -> None:
    """Null-text embeddings [N, B or 1, T, C] of a "ddim" inversion, N <= its steps, and their losses [N, B or 1, k]."""
    if embeddings is None or losses is None or method != "ddim":
        raise ValueError(
            "Null-text embeddings belong to a DDIM inversion and come with their losses; "
            "make the inversion again with Null-Text Inversion."
        )
    for name, tensor, sizes in (("embeddings", embeddings, 4), ("losses", losses, 3)):
        shape = list(tensor.shape)
        fits = len(shape) == sizes and 1 <= shape[0] <= steps and shape[1] in (1, images)
        if not fits or min(shape) == 0 or not tensor.is_floating_point() or shape[0] != len(embeddings):
            raise ValueError(
                f"The null-text {name} should have one row per step (up to {steps}) and per image "
                f"({images}), but have the shape {shape} ({tensor.dtype}); "
                "make the inversion again with Null-Text Inversion."
            )
