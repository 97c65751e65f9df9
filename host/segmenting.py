"""Self-segmentation of inverted pictures (spec 1.6), with a model of the host."""

import logging
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ..attention.segmentation import noun_map, object_mask
from ..inversion.record import Inversion
from .capture import capture_maps
from .tokens import token_columns

log = logging.getLogger("appearance_transfer")


def segment(
    model: ModelPatcher,
    inversion: Inversion,
    clip: Any,
    prompt: str,
    noun: str,
    other_nouns: str = "",
    *,
    step: int = 20,
    clusters: int = 5,
    factor: float = 1.4,
) -> Tensor:
    """MASK [B, h, w] of the object that `noun` names, at the size of the finest self-attention.

    other_nouns: comma-separated words of the prompt that compete for segments. Where nothing stands out the mask of
    that picture is empty; a warning says so. Raises ValueError for a noun that the prompt does not hold.
    """
    words = [noun, *(word for word in other_nouns.split(",") if word.strip())]
    columns = {word.strip(): token_columns(clip, prompt, word) for word in words}
    maps = capture_maps(model, inversion, step)
    tokens = maps.cross_attention.shape[-1]
    if max(max(cols) for cols in columns.values()) >= tokens:
        raise ValueError(
            f"The prompt {prompt!r} is longer than the text the picture was inverted with ({tokens} tokens). "
            "Type the positive text of the inversion."
        )
    masks = []
    for picture in range(inversion.pictures):
        found = object_mask(
            maps.self_attention[picture],
            {word: noun_map(maps.cross_attention[picture], cols) for word, cols in columns.items()},
            [noun.strip()],
            maps.self_grid,
            map_size=maps.cross_grid,
            clusters=clusters,
            factor=factor,
        )
        if found.empty:
            log.warning(
                "Self-Segmentation found no %r in picture %d: the mask is empty. Lower factor or paint a mask.",
                noun,
                picture,
            )
        masks.append(found.mask)
    return torch.stack(masks)
