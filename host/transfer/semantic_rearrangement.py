"""Semantic rearrangement (Eye-for-an-eye): references offer what enters their self-attention.

The appearance's features are put into the positive rows, each at the position it matches; the structure's features are
put in as they are.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.rearrangement import ReferenceFeatures, rearranged, touched
from ...correspondence.match import TRANSPORT
from ...inversion.types import Inversion
from ..models.architecture import network_of
from ..models.attention_layer import NEGATIVE, POSITIVE, AttentionLayer, Grid, Tokens
from ..models.unet import up_block_ends
from .found_guidance import Matching
from .given_or_found import GivenOrFound
from .method import LayerReference
from .model_patch import ModelPatch
from .plan import Appearance, TransferPlan, TransferSettings
from .rearrangement_matches import RearrangementMatches, Sources
from .references import ModelCall, RecordedReference

log = logging.getLogger("appearance_transfer")

DIFT, SELF_ATTENTION = "dift", "self-attention"
OFFICIAL, BOTH = "official", "both"

Inject = Literal["feature", "kv", "v"]
# which of the three take the references' features
INJECTED: dict[Inject, tuple[bool, bool, bool]] = {
    "feature": (True, True, True),
    "kv": (False, True, True),
    "v": (False, False, True),
}


@dataclass(frozen=True)
class RearrangementSettings(TransferSettings):
    """The parameters of Semantic Rearrangement (Go et al., arXiv 2406.07008).

    find: object and matches, where no mask or matches are given, by `matching`.
    match_source: where the matches come from that are neither given nor found: the features themselves, in every layer
        and step, or one DIFT of the clean images.
    structure_rule: which rows take the structure's features on its steps. "official", as in the reference code, the
        unconditional ones, or the only ones where there is no text guidance; "both", those of both prompts.
    """

    inject: Inject = "feature"
    match_source: Literal["self-attention", "dift"] = SELF_ATTENTION
    structure_rule: Literal["official", "both"] = OFFICIAL
    find: bool = False
    matching: Matching = Matching(TRANSPORT, within=True, whole=True)

    @classmethod
    def reference_code(cls, **settings: Any) -> "RearrangementSettings":
        """As the authors' code: references are replayed, structure steps edit all positions of the negative rows,
        nothing is found."""
        plain = {"structure_rule": OFFICIAL, "find": False}
        return cls(replayed=True, structure_everywhere=True, **(settings | plain))


def rearrange_appearance(
    model: ModelPatcher, appearances: Sequence[Appearance], structure: Inversion | None, settings: RearrangementSettings
) -> ModelPatcher:
    """A clone of `model` whose decoder takes over the appearances' features; strength 0 returns a plain clone.

    Raises ValueError for an unsupported architecture, no appearance, inversions of another model or other sizes,
    matches of images of another shape, and DIFT without a structure.
    """
    _check_plan(appearances, structure, settings)
    if settings.match_source == DIFT and any(entry.correspondence is None for entry in appearances):
        up_block_ends(network_of(model))  # raises where the network has no decoder to take DIFT from
    plan = TransferPlan(tuple(appearances), structure, settings)
    return ModelPatch(model, plan, SemanticRearrangement).applied_to(model)


class SemanticRearrangement:
    """See `TransferMethod`. What it captures are features, for each prompt [images, N, C]."""

    name = "Semantic Rearrangement"
    changes_output = False

    def __init__(self, plan: TransferPlan, cfg: float):
        self.settings: RearrangementSettings = plan.settings
        self.cfg = cfg
        self.known = GivenOrFound(plan.appearances, self.settings.find, self.settings.matching)
        self.matches = RearrangementMatches(self.known)
        self._warned = False

    def check(self, shape: Sequence[int]) -> None:
        self.known.check(shape[0])
        for entry in self.known.appearances:
            if entry.correspondence is not None:
                _check_shape("structure", entry.correspondence.structure_image, shape[-2:])

    def prompts(self, structural: bool) -> Sequence[int]:
        """On structure steps also those whose rows are edited; see `RearrangementSettings`."""
        if not structural or self.cfg <= 1.0:
            return (POSITIVE,)
        return (NEGATIVE,) if self.settings.structure_rule == OFFICIAL else (POSITIVE, NEGATIVE)

    def masks_at(self, masks: Sequence[Tensor | None], grid: Grid) -> Sequence[Tensor | None]:
        """A position is painted or not: matches are hard, and so is the reference code's mask. Those that are missing
        may have been found."""
        masks = [self.known.output_mask(number) for number in range(len(masks))]
        return [None if mask is None else touched(mask, grid).float() for mask in masks]

    def prepare(
        self,
        call: ModelCall,
        structure: RecordedReference | None,
        appearances: list[RecordedReference],
        structural: bool,
    ) -> None:
        self.known.prepare(call, structure, appearances)
        if not structural and self.settings.match_source == DIFT and structure is not None:
            self.matches.match_by_dift(call, structure, appearances)

    def capture(self, layer: AttentionLayer, tokens: Tokens) -> dict[Any, Tensor]:
        """In a U-Net queries, keys and values are made of one feature; in a transformer they come apart, after their
        projection, as (prompt, 1) and (prompt, 2) beside the queries.
        """
        n, *keys_values = tokens
        features: dict[Any, Tensor] = {}
        for prompt in layer.prompts:
            rows = layer.rows_of(prompt)
            features[prompt] = n[rows]
            features |= {(prompt, part): own[rows] for part, own in enumerate(keys_values, 1) if own is not n}
        return features

    def kept_per_channel(self, joint: bool) -> int:
        return 3 if joint else 1

    def apply(
        self, layer: AttentionLayer, tokens: Tokens, references: Sequence[LayerReference], structural: bool
    ) -> Tokens:
        n, _, _ = tokens
        reference_matches = {
            row: self._reference_matches(n[row], row, layer, prompt, references, structural)
            for prompt in self.prompts(structural)
            for row in layer.rows_of(prompt)
        }

        def edited(own: Tensor, part: int) -> Tensor:
            own = own.clone()
            for row, of_row in reference_matches.items():
                own[row] = rearranged(own[row], [reference_match.of_part(part) for reference_match in of_row])
            return own

        injected = INJECTED[self.settings.inject]
        return tuple(
            edited(own, part) if takes and self._is_of_output(own, part, reference_matches) else own
            for part, (own, takes) in enumerate(zip(tokens, injected, strict=True))
        )

    def _is_of_output(self, tokens: Tensor, part: int, reference_matches: dict[int, list["_Matched"]]) -> bool:
        if all(
            reference_match.fits(part, tokens) for of_row in reference_matches.values() for reference_match in of_row
        ):
            return True
        if not self._warned:
            self._warned = True
            log.warning(
                "Another node gives the decoder's self-attention keys and values of its own; they are not rearranged."
            )
        return False

    def _reference_matches(
        self,
        own: Tensor,
        row: int,
        layer: AttentionLayer,
        prompt: int,
        references: Sequence[LayerReference],
        structural: bool,
    ) -> list["_Matched"]:
        """What the references give to one row of a forward under `prompt`, whose own features are [N, C]."""
        reference_matches = []
        for number, reference in enumerate(references):
            image = row % len(reference.images)
            parts = [reference.tensors.get((prompt, part), reference.tensors[prompt]) for part in range(3)]
            parts = [part[reference.images[image]].to(own) for part in parts]
            features = parts[0]
            weight = reference.weight[image].to(own.device)
            if structural:
                sources = Sources(torch.arange(len(features), device=own.device))
            else:
                sources = self.matches.at(number, image, layer, reference.grid, own, features, weight)
            reference_matches.append(_Matched(parts, sources, weight))
        return reference_matches


@dataclass(frozen=True)
class _Matched:
    """What a reference gives to one row of a layer.

    parts: the features that its queries, keys and values take, [m, C] each. sources, weight [N]: see
        `ReferenceFeatures`.
    """

    parts: Sequence[Tensor]
    sources: Sources
    weight: Tensor

    def of_part(self, part: int) -> ReferenceFeatures:
        return ReferenceFeatures(self.parts[part], self.sources.matches, self.weight, self.sources.fractions)

    def fits(self, part: int, tokens: Tensor) -> bool:
        """Whether tokens [rows, N, C] are those that it was matched for."""
        return tokens.shape[1:] == (len(self.weight), self.parts[part].shape[-1])


def _check_plan(
    appearances: Sequence[Appearance], structure: Inversion | None, settings: RearrangementSettings
) -> None:
    """Raise where an appearance cannot be matched, or its matches are of other images."""
    for entry in appearances:
        if entry.correspondence is not None:
            _check_shape("appearance", entry.correspondence.appearance_image, entry.inversion.size)
            if structure is not None:
                _check_shape("structure", entry.correspondence.structure_image, structure.size)
        elif settings.match_source == DIFT and structure is None:
            raise ValueError(
                "match_source is dift, which compares the appearance with the structure image, and no structure "
                "is connected. Connect its inversion to structure, or set match_source to self-attention."
            )
        elif entry.appearance_mask is not None and not bool(entry.appearance_mask.any()):
            raise ValueError(
                "An appearance_mask is empty, so nothing inside it can be matched. Paint the region in the "
                "appearance image, or disconnect it (LoadImage gives an empty mask for an image without "
                "transparency)."
            )


def _check_shape(which: str, image: Grid, size: Sequence[int]) -> None:
    """Raise where the matches are of an image of another shape than the latents (h, w) that they are used on."""
    height, width = size
    if abs(image[1] * height - image[0] * width) > max(image):  # more than one latent pixel
        raise ValueError(
            f"The matches of an appearance were made with {image[1]}x{image[0]} pixels of the {which} "
            f"and the latents of the {which} are {width}x{height}, another shape. Make the features of the {which} "
            "from the same image, as it went to VAE Encode."
        )
