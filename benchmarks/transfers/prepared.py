"""Pairs at 256 px as the nodes on the pocket U-Net prepare them where nothing is given but two images and a noun each.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

from .at_settings import Inverting
from .inverted import OBJECT, InvertedPairs
from .pair_guidance import FOUND, guidance_of, unet
from .pairs import RenderedPairs


@lru_cache(maxsize=4)  # all methods of a batch share it
def prepared(truth: RenderedPairs, inverting: Inverting = Inverting()) -> InvertedPairs:  # noqa: B008
    """Structures inverted, appearances noised, with the objects that the network finds."""
    inverted = inverting(unet(), truth)
    return replace(inverted, masks=inverted.masks | {OBJECT: guidance_of(truth, FOUND, FOUND).masks})
