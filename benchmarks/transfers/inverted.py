"""Pairs made ready once for all methods: encoded, inverted, segmented.

A batch carries a prompt per image: the embeddings are stacked in one CONDITIONING, which ComfyUI keeps row by row.
Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Any

import torch
from torch import Tensor

from ...correspondence.dift import PRESETS, DiftSettings
from ...correspondence.mirroring import turn
from ...host.inversion.ddpm_and_ddim import invert_with_ddpm
from ...host.inversion.reference import noised_reference
from ...host.inversion.subject import thumbnail_of
from ...host.matching.mirroring import mirror_to_match
from ...host.matching.object_finding import find_objects, object_maps
from ...host.matching.segmentation import segment
from ...host.models.pocket_checkpoint import load_pocket_checkpoint
from ...host.models.schedules import schedule_of
from ...inversion.defaults import INVERSION_CFG, PAPER_CFG, PAPER_START_AT, PAPER_STEPS, START_AT, STEPS
from ...inversion.schedule import Schedule
from ...inversion.types import Inversion
from .pairs import NETWORK_OF_SIZE, SIZE, RenderedPairs, prompt


@dataclass(frozen=True, eq=False)
class Models:
    """ComfyUI's MODEL, CLIP and VAE of one checkpoint."""

    model: Any
    clip: Any
    vae: Any

    def encode(self, images: Tensor) -> Tensor:
        """[B, H, W, 3] in 0..1 -> [B, 4, h, w] in the VAE's scale."""
        return self.vae.encode(images)

    def decode(self, latents: Tensor) -> Tensor:
        """The way back, clamped to 0..1."""
        return self.vae.decode(latents).clamp(0.0, 1.0)

    def conditioning(self, texts: list[str]) -> list[list[Any]]:
        """One CONDITIONING with a row per text."""
        encoded = [self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))[0] for text in texts]
        pooled = torch.cat([extras["pooled_output"] for _, extras in encoded])
        return [[torch.cat([embedding for embedding, _ in encoded]), {"pooled_output": pooled}]]


def pocket_models(size: int = SIZE) -> Models:
    """The committed pocket network for images of `size` pixels, in fp32."""
    return models_of(NETWORK_OF_SIZE[size])


def models_of(network: str) -> Models:
    """A committed pocket network by its name, in fp32."""
    return Models(*load_pocket_checkpoint("fp32", network))


@dataclass(frozen=True)
class Masks:
    """Where the animal is in both images: MASK [B, h, w] each."""

    structure: Tensor
    appearance: Tensor


FOUND, THREE_SEGMENTS, TRUE, OBJECT = "found", "three segments", "true", "object"
"""OBJECT: by Find Object; FOUND and THREE_SEGMENTS: by Self-Segmentation."""
SEGMENTATIONS: dict[str, dict[str, Any]] = {
    FOUND: {},  # the node's defaults, which are the reference code's
    THREE_SEGMENTS: {"clusters": 3, "factor": 1.0, "at_percent": 0.77},  # chosen on other pairs, from seed 800000 on
}


@dataclass(frozen=True, eq=False)
class InvertedPairs:
    """B pairs as Cross-Image Attention takes them, with masks by how they were come by."""

    truth: RenderedPairs
    structure: Inversion
    appearance: Inversion
    masks: dict[str, Masks] = field(default_factory=dict)


def invert_pairs(models: Models, truth: RenderedPairs, steps: int = STEPS, start_at: int = START_AT) -> InvertedPairs:
    """Invert the structures, noise the appearances and segment both with the nodes' defaults, every image under its own
    prompt.
    """
    schedule = schedule_of(models.model, steps=steps, start_at=start_at)
    structure = invert(models, truth.structure.image, truth.structure_nouns, schedule)
    appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
    return _segmented(models, truth, structure, appearance)


@lru_cache(maxsize=1)  # all methods of a batch share it
def at_paper_settings(models: Models, pairs: InvertedPairs) -> InvertedPairs:
    """The pairs as the reference code of Cross-Image Attention inverts them: both sides, 68 of 100 steps, with text."""
    truth, schedule = pairs.truth, schedule_of(models.model, steps=PAPER_STEPS, start_at=PAPER_START_AT)
    structure = invert(models, truth.structure.image, truth.structure_nouns, schedule, PAPER_CFG)
    appearance = invert(models, truth.appearance.image, truth.appearance_nouns, schedule, PAPER_CFG)
    return _segmented(models, truth, structure, appearance)


def _segmented(models: Models, truth: RenderedPairs, structure: Inversion, appearance: Inversion) -> InvertedPairs:
    masks = {TRUE: Masks(truth.structure.mask, truth.appearance.mask)}
    for name, settings in SEGMENTATIONS.items():
        masks[name] = Masks(
            segmented(models, structure, truth.structure_nouns, settings),
            segmented(models, appearance, truth.appearance_nouns, settings),
        )
    masks[OBJECT] = Masks(
        _objects(models, truth.structure.image, truth.structure_nouns),
        _objects(models, truth.appearance.image, truth.appearance_nouns),
    )
    return InvertedPairs(truth, structure, appearance, masks)


def _objects(models: Models, images: Tensor, nouns: list[str]) -> Tensor:
    positive = models.conditioning([prompt(noun) for noun in nouns])
    return find_objects(images, object_maps(models.model, models.encode(images), positive, seed=42))


@lru_cache(maxsize=1)  # all methods of a batch share it
def mirrored_to_match(models: Models, pairs: InvertedPairs) -> InvertedPairs:
    """The pairs with every appearance turned as the node Mirror to Match turns it, without masks, under an empty text.

    The other side is the same object, so that what was made of it once can be used again.
    """
    structure, appearance = pairs.truth.structure.image, pairs.truth.appearance.image
    settings = DiftSettings(**PRESETS["pocket"], ensemble=2)
    nothing = models.conditioning([""])
    images, _ = mirror_to_match(models.model, models.vae, nothing, structure, appearance, settings)
    flipped = (images != appearance).flatten(1).any(1)
    masks = {name: replace(both, appearance=turn(both.appearance, flipped)) for name, both in pairs.masks.items()}
    reference = noised(models, images, pairs.truth.appearance_nouns, pairs.structure.schedule)
    return replace(pairs, appearance=reference, masks=masks)


def invert(
    models: Models, images: Tensor, nouns: list[str], schedule: Schedule, cfg: float = INVERSION_CFG
) -> Inversion:
    """The DDPM inversion of images [B, H, W, 3] with the node's defaults, each under the prompt of its noun."""
    positive = models.conditioning([prompt(noun) for noun in nouns])
    nothing = models.conditioning([""])
    return invert_with_ddpm(
        models.model, models.encode(images), positive, nothing, schedule, guidance=cfg, thumbnail=thumbnail_of(images)
    )


def noised(models: Models, images: Tensor, nouns: list[str], schedule: Schedule) -> Inversion:
    """Images [B, H, W, 3] as references with the node's defaults, each under the prompt of its noun."""
    positive = models.conditioning([prompt(noun) for noun in nouns])
    nothing = models.conditioning([""])
    return noised_reference(
        models.model, models.encode(images), positive, nothing, schedule, thumbnail=thumbnail_of(images)
    )


def segmented(models: Models, inversion: Inversion, nouns: list[str], settings: dict[str, Any]) -> Tensor:
    """Image by image, since each has a noun of its own."""
    return torch.cat(
        [
            segment(models.model, inversion.image(index), models.clip, prompt(noun), noun, **settings)
            for index, noun in enumerate(nouns)
        ]
    )
