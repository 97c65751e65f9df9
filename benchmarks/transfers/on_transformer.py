"""Methods on the pocket transformer: the baselines, attention by likeness, and features rearranged by matches.

The same pairs, captions and measures as on the U-Net. Structures are inverted without text guidance in 14 of 20 steps,
appearances noised, and every step reads the appearance; matches are the pocket U-Net's or the renderer's. Imports
ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import lru_cache, partial

from torch import Tensor

from ...attention.windows import Window
from ...correspondence.correspondence import Correspondence
from ...correspondence.dift import PRESETS, DiftSettings
from ...correspondence.match import match
from ...correspondence.mirroring import turn
from ...host.matching.dift_features import dift_features
from ...host.matching.mirroring import mirror_to_match
from ...host.models.pocket_checkpoint import load_pocket_checkpoint
from ...host.models.schedules import schedule_of
from ...host.runtime.model_runner import stock_guider
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.cross_image_attention import CrossImageSettings, transfer_appearance
from ...host.transfer.plan import Appearance
from ...host.transfer.semantic_rearrangement import RearrangementSettings, rearrange_appearance
from ...inversion.types import Inversion
from ...pocket.checkpoint import TRANSFORMER_NETWORK
from .baselines import TEXT_GUIDANCE, from_noise
from .inverted import Models, invert, noised, pocket_models
from .pairs import RenderedPairs, prompt
from .rearranged import true_matches
from .sampled import resume

SIZE, STEPS, START_AT = 256, 20, 6
WHOLE, ADAIN = Window(0.0, 1.0), Window(0.5, 1.0)


@dataclass(frozen=True, eq=False)
class TransformerPairs:
    """B pairs: with the true masks, or with appearances turned to their structures' side and matched by the U-Net."""

    truth: RenderedPairs
    structure: Inversion
    appearance: Inversion
    appearance_mask: Tensor
    matches: Correspondence | None = None


Method = Callable[[Models, TransformerPairs], Tensor]


def transformer_models() -> Models:
    """The committed pocket transformer in fp32."""
    return Models(*load_pocket_checkpoint("fp32", TRANSFORMER_NETWORK))


def invert_pairs(models: Models, truth: RenderedPairs) -> TransformerPairs:
    """Every image under the prompt of its noun."""
    schedule = schedule_of(models.model, steps=STEPS, start_at=START_AT)
    structure = invert(models, truth.structure.image, truth.structure_nouns, schedule, 1.0)
    appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
    return TransformerPairs(truth, structure, appearance, truth.appearance.mask)


@lru_cache(maxsize=1)  # all methods of a batch share it
def turned_and_matched(models: Models, pairs: TransformerPairs) -> TransformerPairs:
    """Appearances turned as Mirror to Match turns them, and matched with DIFT of the pocket U-Net inside true masks."""
    truth, unet = pairs.truth, pocket_models(SIZE)
    settings, nothing = DiftSettings(**PRESETS["pocket"], ensemble=2), unet.conditioning([""])
    structure, appearance = truth.structure.image, truth.appearance.image
    images, _ = mirror_to_match(unet.model, unet.vae, nothing, structure, appearance, settings)
    mask = turn(truth.appearance.mask, (images != appearance).flatten(1).any(1))
    features = [
        dift_features(unet.model, unet.encode(side), unet.conditioning([prompt(noun) for noun in nouns]), settings)
        for side, nouns in ((structure, truth.structure_nouns), (images, truth.appearance_nouns))
    ]
    matches = match(features[0], features[1], structure_mask=truth.structure.mask, appearance_mask=mask)
    reference = noised(models, images, truth.appearance_nouns, pairs.structure.schedule)
    return replace(pairs, appearance=reference, appearance_mask=mask, matches=matches)


def nothing_but_adain(models: Models, pairs: TransformerPairs) -> Tensor:
    return _sampled(models, pairs, models.model)


def sdedit(models: Models, pairs: TransformerPairs) -> Tensor:
    """From where the transfer starts, in fresh noise, under the appearance's full caption."""
    latent = models.encode(pairs.truth.structure.image)
    return from_noise(models, latent, pairs.structure.schedule, pairs.truth.appearance_captions, TEXT_GUIDANCE)


def by_similarity(models: Models, pairs: TransformerPairs, settings: CrossImageSettings) -> Tensor:
    """Cross-Image Attention where the structure's animal is."""
    appearance = Appearance(pairs.appearance, mask=pairs.truth.structure.mask)
    return _sampled(models, pairs, transfer_appearance(models.model, [appearance], None, settings))


def by_likeness_inside(models: Models, pairs: TransformerPairs, settings: CrossImageSettings) -> Tensor:
    """The same, reading the appearance's animal alone."""
    appearance = Appearance(
        pairs.appearance, mask=pairs.truth.structure.mask, appearance_mask=pairs.appearance_mask
    )  # fmt: skip
    return _sampled(models, pairs, transfer_appearance(models.model, [appearance], None, settings))


def by_match(models: Models, pairs: TransformerPairs, settings: RearrangementSettings) -> Tensor:
    """Semantic Rearrangement where the structure's animal is, by the U-Net's matches."""
    return _rearranged(models, turned_and_matched(models, pairs), settings)


def by_true_match(models: Models, pairs: TransformerPairs, settings: RearrangementSettings) -> Tensor:
    """The same by the renderer's matches."""
    return _rearranged(models, replace(pairs, matches=true_matches(pairs.truth)), settings)


def _rearranged(models: Models, pairs: TransformerPairs, settings: RearrangementSettings) -> Tensor:
    appearance = Appearance(
        pairs.appearance, mask=pairs.truth.structure.mask, appearance_mask=pairs.appearance_mask,
        correspondence=pairs.matches,
    )  # fmt: skip
    return _sampled(models, pairs, rearrange_appearance(models.model, [appearance], None, settings))


def _sampled(models: Models, pairs: TransformerPairs, model: object) -> Tensor:
    """Resumed from the structure without text guidance, AdaIN between the steps."""
    captions = [prompt(noun) for noun in pairs.truth.structure_nouns]
    guider = stock_guider(model, models.conditioning(captions), models.conditioning([""]), 1.0)
    adain = AdaINOperation(pairs.appearance, pairs.truth.structure.mask, pairs.appearance_mask, ADAIN)
    return resume(models, pairs.structure, guider, adain)


KV = RearrangementSettings(inject="kv", window=WHOLE)
METHODS: dict[str, Method] = {
    "identity": lambda models, pairs: pairs.truth.structure.image,
    "AdaIN only": nothing_but_adain,
    "SDEdit": sdedit,
    "rearranged by found matches": partial(by_match, settings=KV),
    "by likeness": partial(by_similarity, settings=CrossImageSettings(window=WHOLE)),
    "by likeness, inside the animal": partial(by_likeness_inside, settings=CrossImageSettings(window=WHOLE)),
    "rearranged by true matches": partial(by_true_match, settings=KV),
    "rearranged by found matches, queries too": partial(by_match, settings=replace(KV, inject="feature")),
    "by likeness, no contrast": partial(by_similarity, settings=CrossImageSettings(window=WHOLE, contrast=1.0)),
}
"""The first are those that the page of models compares; the others change one thing."""
