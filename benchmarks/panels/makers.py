"""How each image is made: with nothing given but the images and a noun for each, so objects and matches are found.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from functools import lru_cache

import torch
from torch import Tensor

from ...attention.windows import Window
from ...inversion.defaults import START_AT, STEPS
from ..edits.methods import OURS, edited
from ..edits.methods import Variant as Editing
from ..edits.subjects import Subjects
from ..transfers.at_settings import Inverting
from ..transfers.fine_grained import FEW_STEPS, Deviation, deviate_unguided
from ..transfers.fine_grained import FINDING as DEVIATING
from ..transfers.inverted import OBJECT
from ..transfers.methods import METHODS as ON_UNET
from ..transfers.on_transformer import transformer_models
from ..transfers.pair_guidance import FOUND, unet
from ..transfers.pairs import RenderedPairs, rendered
from ..transfers.prepared import prepared
from ..transfers.rearranged import FINDING as REARRANGING
from ..transfers.rearranged import Rearrangement, rearrange
from ..transfers.transformer_methods import ATTENTION, LIKENESS
from ..transfers.transformer_methods import METHODS as ON_TRANSFORMER
from ..transfers.variants import FINDING, Variant, transfer
from . import contents
from .contents import EDITS, METHODS, PAIRS, SERIES, SIZE, Entry
from .scenes import as_edited, edits, pairs

Maker = Callable[[RenderedPairs], Tensor]
"""-> the images [B, H, W, 3] in 0..1."""
FEWER = 10
"""Below so many steps they are laid along the levels of a Basic Scheduler, as the template of four steps has it."""


def make(entry: Entry) -> tuple[Tensor, RenderedPairs]:
    """The images [B, H, W, 3] of one entry, and what they are measured against."""
    sheet, label = entry
    if sheet == EDITS:
        return _edited(), rendered(as_edited(pairs()), SIZE)
    truth = _truth(PAIRS if sheet == METHODS else 1)
    return _maker(sheet, label)(truth).cpu().float(), truth


def _maker(sheet: str, label: str) -> Maker:
    if sheet == METHODS:
        return COLUMNS[label]
    (values,) = [series.labels for series in SERIES if series.name == sheet]
    return BY_VALUE[sheet](values[label])


@lru_cache(maxsize=2)
def _truth(number: int) -> RenderedPairs:
    return rendered(pairs()[:number], SIZE)


def _on_unet(name: str) -> Maker:
    return lambda truth: ON_UNET[name](unet(), prepared(truth))


def _on_transformer(name: str) -> Maker:
    return lambda truth: ON_TRANSFORMER[name](transformer_models(), truth).images


def _cross_image(**changed: float) -> Maker:
    variant = Variant("", replace(FINDING, **changed), masks=OBJECT)
    return lambda truth: transfer(unet(), prepared(truth), variant)


def _by_steps(steps: float) -> Maker:
    number = int(steps)
    inverting = Inverting(few=number) if number < FEWER else Inverting(number, number * START_AT // STEPS)
    variant = Rearrangement("", REARRANGING, masks=OBJECT, inside=False)
    return lambda truth: rearrange(unet(), prepared(truth, inverting), variant)


def _by_window(end: float) -> Maker:
    settings = replace(DEVIATING, window=Window(DEVIATING.window.start_percent, end))
    variant = Deviation("", settings, inside=False)
    return lambda truth: deviate_unguided(unet(), prepared(truth), variant, FEW_STEPS)


def _by_position(position: float) -> Maker:
    found = replace(LIKENESS, settings=replace(ATTENTION, position=position), masks=FOUND)
    return lambda truth: found(transformer_models(), truth).images


def _edited() -> Tensor:
    """Each structure with the coat of its appearance, by pix2pix-zero between the words for both."""
    return torch.cat(
        [
            edited(Subjects(unet(), edit, (pair.structure,), size=SIZE), Editing(OURS))
            for pair, edit in zip(pairs(), edits(pairs()), strict=True)
        ]
    ).float()


COLUMNS: Mapping[str, Maker] = {
    contents.COLOR_TRANSFER: _on_unet("color transfer"),
    contents.CROSS_IMAGE: _on_unet("ours, found"),
    contents.REARRANGEMENT: _on_unet("eye-for-an-eye, found"),
    contents.DEVIATION: _on_unet(f"fine-grained, found, {FEW_STEPS} steps"),
    contents.FLOW_EDIT: _on_transformer("FlowEdit, nothing given, 4 steps"),
    contents.DEVIATION_ON_IT: _on_transformer("Latent Deviation, nothing given, 8 steps"),
}
BY_VALUE: Mapping[str, Callable[[float], Maker]] = {
    "strength": lambda value: _cross_image(strength=value),
    "width": lambda value: _cross_image(match_width=value),
    "contrast": lambda value: _cross_image(contrast=value),
    "steps": _by_steps,
    "window": _by_window,
    "position": _by_position,
}
