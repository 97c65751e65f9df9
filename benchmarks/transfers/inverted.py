"""Pairs made ready once for all methods: encoded, inverted, segmented.

A batch carries a prompt per picture: the embeddings are stacked in one CONDITIONING, which the host keeps row by row.
Imports the host's modules, so import it after the host has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...host.inverting import invert_with_ddpm
from ...host.pocket_checkpoint import load_pocket_checkpoint
from ...host.schedules import schedule_of
from ...host.segmenting import segment
from ...inversion.record import Inversion
from .pairs import RenderedPairs, prompt

STEPS, START_AT = 100, 32


@dataclass(frozen=True)
class Models:
    """The host's MODEL, CLIP and VAE of one checkpoint."""

    model: Any
    clip: Any
    vae: Any

    def encode(self, pictures: Tensor) -> Tensor:
        """[B, H, W, 3] in 0..1 -> [B, 4, h, w] in the VAE's scale."""
        return self.vae.encode(pictures)

    def decode(self, latents: Tensor) -> Tensor:
        """The way back, clamped to 0..1."""
        return self.vae.decode(latents).clamp(0.0, 1.0)

    def conditioning(self, texts: list[str]) -> list[list[Any]]:
        """One CONDITIONING with a row per text."""
        encoded = [self.clip.encode_from_tokens_scheduled(self.clip.tokenize(text))[0] for text in texts]
        pooled = torch.cat([extras["pooled_output"] for _, extras in encoded])
        return [[torch.cat([embedding for embedding, _ in encoded]), {"pooled_output": pooled}]]


def pocket_models() -> Models:
    """The committed pocket checkpoint in fp32."""
    return Models(*load_pocket_checkpoint("fp32"))


@dataclass(frozen=True)
class InvertedPairs:
    """B pairs as Cross-Image Attention takes them. Masks: MASK [B, h, w] as Self-Segmentation found them."""

    truth: RenderedPairs
    structure: Inversion
    appearance: Inversion
    structure_mask: Tensor
    appearance_mask: Tensor


def invert_pairs(models: Models, truth: RenderedPairs, steps: int = STEPS, start_at: int = START_AT) -> InvertedPairs:
    """Invert and segment both sides with the nodes' defaults, every picture under its own prompt."""
    schedule = schedule_of(models.model, steps=steps, start_at=start_at)
    nothing = models.conditioning([""])
    sides = []
    for rendering, nouns in ((truth.structure, truth.structure_nouns), (truth.appearance, truth.appearance_nouns)):
        positive = models.conditioning([prompt(noun) for noun in nouns])
        latent = models.encode(rendering.image)
        inversion = invert_with_ddpm(models.model, latent, positive, nothing, schedule)
        sides.append((inversion, _found_masks(models, inversion, nouns)))
    (structure, structure_mask), (appearance, appearance_mask) = sides
    return InvertedPairs(truth, structure, appearance, structure_mask, appearance_mask)


def _found_masks(models: Models, inversion: Inversion, nouns: list[str]) -> Tensor:
    """Picture by picture, since each has a noun of its own."""
    return torch.cat(
        [
            segment(models.model, inversion.picture(index), models.clip, prompt(noun), noun)
            for index, noun in enumerate(nouns)
        ]
    )
