"""Masks of inverted images from a model's own attention: by segments (Patashnik et al., arXiv 2303.11306), or by one
word's map (prompt-to-prompt's local blend, Hertz et al., arXiv 2208.01626).
"""

import logging
from typing import Any

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor
from torch.nn.functional import interpolate

from ...attention.segmentation import SegmentationSettings, noun_map, object_mask
from ...attention.word_map import WordMapSettings, fitting_downscale, word_mask
from ...inversion.types import Inversion
from ...objects.find import fit_to_colors
from ..models.prompt_tokens import columns_in, prompt_of
from ..models.unet import decoder_levels, text_layers
from .capture import capture_maps, capture_text_maps, step_read_at

log = logging.getLogger("appearance_transfer")


def segment(
    model: ModelPatcher,
    inversion: Inversion,
    clip: Any,
    prompt: str,
    noun: str,
    other_nouns: str = "",
    *,
    at_percent: float = SegmentationSettings.at_percent,
    clusters: int = SegmentationSettings.clusters,
    factor: float = SegmentationSettings.factor,
) -> Tensor:
    """MASK [B, h, w] of the object that `noun` names, at the size of the finest self-attention.

    prompt: the words that the inversion was made under; empty where it knows them itself. noun: a word of them, the
        last one where it is empty. other_nouns: comma-separated words of the prompt that compete for segments.
    at_percent: of the noise schedule, 0..1, where the attention is read.

    Where nothing stands out the mask of that image is empty; a warning says so. Raises ValueError for a noun that the
    prompt does not hold.
    """
    decoder_levels(model)  # refuses other networks before a word is looked for
    prompt = prompt_of(inversion, prompt)
    noun = noun.strip() or prompt.split()[-1]
    words = [noun, *(word for word in other_nouns.split(",") if word.strip())]
    columns = {word.strip(): columns_in(inversion, clip, prompt, word) for word in words}
    maps = capture_maps(model, inversion, step_read_at(model, inversion, at_percent))
    masks = []
    for image in range(inversion.images):
        found = object_mask(
            maps.self_attention[image],
            {word: noun_map(maps.cross_attention[image], cols) for word, cols in columns.items()},
            [noun.strip()],
            maps.self_grid,
            map_size=maps.cross_grid,
            clusters=clusters,
            factor=factor,
        )
        if found.empty:
            log.warning(
                "Self-Segmentation found no %r in image %d: the mask is empty. Lower factor or paint a mask.",
                noun,
                image,
            )
        masks.append(found.mask)
    return torch.stack(masks)


def fitted(masks: Tensor, images: Tensor | None) -> Tensor:
    """MASK [B, H, W] with soft edges at the size of images [B, H, W, 3 or 4]: coarse masks [B, h, w] with their edges
    moved to those of the images, by the second stage of Find Object; as they are without images.

    Raises ValueError for another number of images.
    """
    if images is None:
        return masks
    if len(images) != len(masks):
        raise ValueError(
            f"There are {len(images)} images and masks of {len(masks)}. Connect the images that were inverted to image."
        )
    found = [fit_to_colors(mask.cpu(), image[..., :3].cpu()) for mask, image in zip(masks, images, strict=True)]
    return interpolate(torch.stack(found)[:, None], size=images.shape[1:3], mode="bilinear", align_corners=False)[:, 0]


def mask_of_word(
    model: ModelPatcher,
    inversion: Inversion,
    clip: Any,
    prompt: str,
    word: str,
    *,
    at_percent: float = WordMapSettings.at_percent,
    accumulate: bool = WordMapSettings.accumulate,
    threshold: float = WordMapSettings.threshold,
    downscale: int | None = WordMapSettings.downscale,
) -> Tensor:
    """MASK [B, h, w] of where `word`, or a few words in a row, of the prompt is seen, at latent size.

    at_percent: of the noise schedule, 0..1, where the attention is read.
    accumulate: the mean of the maps of all executed steps up to there, instead of the map of that step alone.
    threshold: see `word_mask`; 0 gives a soft mask. downscale: see `capture_text_maps`; None takes
        the one whose maps are as fine as prompt-to-prompt's, see `fitting_downscale`.
    Raises ValueError for a word that the prompt does not hold, and for a downscale that the model does not have.
    """
    layers = text_layers(model)
    prompt = prompt_of(inversion, prompt)
    columns = columns_in(inversion, clip, prompt, word.strip() or prompt.split()[-1])
    step = step_read_at(model, inversion, at_percent)
    steps = range(step + 1) if accumulate else [step]
    if downscale is None:
        downscale = fitting_downscale(layers, inversion.size)
    attention, grid = capture_text_maps(model, inversion, steps, downscale)
    return word_mask(attention, columns, grid, inversion.size, threshold)
