"""Every method of the comparison by its name: baselines, ours, and ours with one thing changed.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from torch import Tensor

from .baselines import color_transfer, image_to_image, sdedit
from .fine_grained import AT_FEW_STEPS, DEVIATIONS, FEW_STEPS, deviate, deviate_unguided
from .inverted import InvertedPairs, Models, at_paper_settings, mirrored_to_match
from .rearranged import REARRANGEMENTS, rearrange
from .variants import AT_PAPER_SETTINGS, VARIANTS, transfer

Method = Callable[[Models, InvertedPairs], Tensor]
"""-> the output images [B, H, W, 3] in 0..1."""


def _identity(models: Models, pairs: InvertedPairs) -> Tensor:
    return pairs.truth.structure.image


def _autoencoder(models: Models, pairs: InvertedPairs) -> Tensor:
    return models.decode(models.encode(pairs.truth.structure.image))


def _answer(models: Models, pairs: InvertedPairs) -> Tensor:
    return pairs.truth.answer.image


def _answer_through_autoencoder(models: Models, pairs: InvertedPairs) -> Tensor:
    return models.decode(models.encode(pairs.truth.answer.image))


def _mirrored(models: Models, pairs: InvertedPairs, method: Method) -> Tensor:
    return method(models, mirrored_to_match(models, pairs))


def _at_paper_settings(models: Models, pairs: InvertedPairs, method: Method) -> Tensor:
    return method(models, at_paper_settings(models, pairs))


METHODS: dict[str, Method] = {
    "identity": _identity,
    "identity, autoencoder": _autoencoder,
    "perfect answer": _answer,
    "perfect answer, autoencoder": _answer_through_autoencoder,
    "color transfer": partial(color_transfer, method="reinhard_lab"),
    "color transfer, MKL": partial(color_transfer, method="mkl_lab"),
    "img2img": image_to_image,
    "SDEdit": sdedit,
    **{variant.name: partial(transfer, variant=variant) for variant in VARIANTS},
    **{variant.name: partial(rearrange, variant=variant) for variant in REARRANGEMENTS},
    **{variant.name: partial(deviate, variant=variant) for variant in DEVIATIONS},
    **{variant.name: partial(deviate_unguided, variant=variant, steps=FEW_STEPS) for variant in AT_FEW_STEPS},
}
METHODS |= {variant.name: partial(_at_paper_settings, method=METHODS[variant.name]) for variant in AT_PAPER_SETTINGS}
METHODS |= {
    name: partial(_mirrored, method=METHODS[name.replace(", mirrored to match", "")])
    for name in (
        "ours, mirrored to match",
        "ours, mirrored to match, true masks",
        "eye-for-an-eye, mirrored to match, true masks",
        "eye-for-an-eye, mirrored to match, DIFT matches, true masks",
        "fine-grained, mirrored to match",
    )
}
