"""The appearance the way round in which a model's features find more of the structure in it."""

import logging
from dataclasses import replace
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.mirroring import FlipDecision, facing, turn
from ..runtime.encoding import encoded
from .attention_matches import match_features
from .dift_features import dift_features

log = logging.getLogger("appearance_transfer")


def mirror_to_match(
    model: ModelPatcher,
    vae: Any,
    positive: list,
    structure: Tensor,
    appearance: Tensor,
    settings: DiftSettings,
    *,
    structure_mask: Tensor | None = None,
    appearance_mask: Tensor | None = None,
) -> tuple[Tensor, Tensor]:
    """The appearance and what of it is meant, mirrored for every structure that its mirror image resembles more.

    structure: [B, H, W, 3 or 4] in 0..1. appearance: [B or 1, H', W', 3 or 4]. positive: one text for all of them.

    Returns IMAGE [B, H', W', C] and MASK [B, H', W'], 1 everywhere without an appearance_mask. Says on the node what
    was found. Raises ValueError for numbers of images that do not go together, and as `dift_features` and `match` do.
    """
    if len(appearance) not in (1, len(structure)):
        raise ValueError(
            f"There are {len(appearance)} appearance images for {len(structure)} structure images. Connect one, or "
            "one for each structure."
        )

    def features_of(images: Tensor) -> Features:
        pixels = images[..., :3]
        return dift_features(model, encoded(vae, pixels), positive, settings, (pixels.shape[1], pixels.shape[2]))

    both = features_of(torch.cat([appearance, appearance.flip(2)]))
    as_it_is, mirrored = (replace(both, values=values) for values in both.values.chunk(2))
    found = facing(
        features_of(structure),
        as_it_is,
        mirrored,
        structure_mask=structure_mask,
        appearance_mask=appearance_mask,
        matcher=match_features,
    )
    _tell(found)
    meant = appearance.new_ones(appearance.shape[:3]) if appearance_mask is None else appearance_mask
    return turn(appearance, found.flipped), turn(meant, found.flipped)


def _tell(found: FlipDecision) -> None:
    for i, flipped in enumerate(found.flipped.tolist()):
        log.info(
            "Image %d: %s. How alike the matches are: %.3f as it is, %.3f mirrored.",
            i, "mirrored" if flipped else "left as it is", found.as_it_is[i], found.mirrored[i],
        )  # fmt: skip
