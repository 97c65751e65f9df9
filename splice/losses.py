"""What a generator of Splice is asked for (Tumanyan et al. 2022, section 3.3), on the schedule of the reference code.

All norms are means of squares, as the released weights were tuned for.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as F  # noqa: N812
from torch import Tensor

from ..vit.features import ViTExtractor, ViTFeatures
from ..vit.self_similarity import self_similarity
from .generator import SkipGenerator

WHOLE_EVERY = 75
"""Steps from one look at the whole structure image to the next; in between there are crops only."""
WHOLE = "whole "


@dataclass(frozen=True)
class SpliceLossWeights:
    """How much each loss counts. The paper's 1 : 0.1 : 0.1 is the same ratio."""

    appearance: float = 10.0
    structure: float = 1.0
    identity: float = 1.0

    def total(self, terms: Mapping[str, Tensor]) -> Tensor:
        """The weighted sum of the terms of a step."""
        return torch.stack([getattr(self, name.removeprefix(WHOLE)) * term for name, term in terms.items()]).sum()


def appearance_loss(output: ViTFeatures, appearance: ViTFeatures) -> Tensor:
    """The output's [CLS] against the appearance's (eq. 3)."""
    return F.mse_loss(output.cls, appearance.cls)


def structure_loss(output: ViTFeatures, structure: ViTFeatures) -> Tensor:
    """The self-similarity of the output's keys against the structure's (eq. 4)."""
    return F.mse_loss(self_similarity(output.keys), self_similarity(structure.keys))


def identity_loss(output: ViTFeatures, appearance: ViTFeatures) -> Tensor:
    """The keys of the generator's image of the appearance against those of the appearance itself (eq. 5)."""
    return F.mse_loss(output.keys, appearance.keys)


@dataclass(frozen=True)
class SplicePair:
    """What one step learns from: crops of this step, and the whole structure image. All [1, 3, H, W] in 0..1."""

    structure_crop: Tensor
    appearance_crop: Tensor
    structure: Tensor


def terms_at(
    step: int, generator: SkipGenerator, extractor: ViTExtractor, pair: SplicePair, whole: ViTFeatures
) -> dict[str, Tensor]:
    """The terms of step 0, 1, 2, ..., unweighted. whole: what the eye sees of the whole structure image.

    Step 0 asks for the appearance only. Every 75th step, from 0, asks for the whole image too; its appearance is
    the crop's. Every step takes four passes through the ViT, two of them with gradients, and one more for the whole.
    """
    with torch.no_grad():
        structure, appearance = extractor.extract(pair.structure_crop, pair.appearance_crop)
    if step == 0:
        (output,) = extractor.extract(generator(pair.structure_crop))
        terms = {"appearance": appearance_loss(output, appearance)}
    else:
        output, identity = extractor.extract(generator(pair.structure_crop), generator(pair.appearance_crop))
        terms = {
            "appearance": appearance_loss(output, appearance),
            "structure": structure_loss(output, structure),
            "identity": identity_loss(identity, appearance),
        }
    if step % WHOLE_EVERY == 0:
        (output,) = extractor.extract(generator(pair.structure))
        terms[f"{WHOLE}appearance"] = appearance_loss(output, appearance)
        terms[f"{WHOLE}structure"] = structure_loss(output, whole)
    return terms
