"""Semantic rearrangement (Eye-for-an-eye) as an ordinary patch of a MODEL clone.

The references show what enters their self-attention; a patch of that input puts the appearance's features, each at the
position it matches, into the positive rows. The structure's features are put in as they are.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from math import lcm
from typing import Any, Literal

import torch
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.rearrangement import ReferenceFeatures, match_features, rearranged, touched
from ...attention.windows import PercentToSigma
from ...correspondence.correspondence import Correspondence
from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.match import match
from ...correspondence.resample import resample_matches
from ...inversion.types import Inversion
from ..matching.dift_features import dift_of_x0
from ..models.unet_attention import NEGATIVE, POSITIVE, grid_of, in_decoder, layer_of, rows_of
from .model_patch import ModelPatch
from .reference_session import Appearance, ReferenceSession, TransferPlan, TransferSettings
from .references import FeatureCache, LayerFeatures, ModelCall, RecordedReference

DIFT, SELF_ATTENTION = "dift", "self-attention"
OFFICIAL, BOTH = "official", "both"

Grid = tuple[int, int]  # (h, w)
Tokens = tuple[Tensor, Tensor, Tensor]  # what the queries, keys and values of a layer are made of, [rows, N, C] each

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

    match_source: where the matches come from that no `Appearance.correspondence` gives: the features themselves, in
        every layer and step, or one DIFT of the clean images.
    structure_rule: which rows take the structure's features on its steps. "official", as in the reference code, the
        unconditional ones, or the only ones where there is no text guidance; "both", those of both prompts.
    """

    inject: Inject = "feature"
    match_source: Literal["self-attention", "dift"] = SELF_ATTENTION
    structure_rule: Literal["official", "both"] = OFFICIAL

    @classmethod
    def reference_code(cls, **settings: Any) -> "RearrangementSettings":
        """As the authors' code: references are replayed, and structure steps edit every position."""
        return cls(replayed=True, structure_everywhere=True, **settings)


def rearrange_appearance(
    model: ModelPatcher, appearances: Sequence[Appearance], structure: Inversion | None, settings: RearrangementSettings
) -> ModelPatcher:
    """A clone of `model` whose decoder takes over the appearances' features; strength 0 returns a plain clone.

    Raises ValueError for an unsupported architecture, no appearance, inversions of another model or other sizes,
    matches of images of another shape, and DIFT without a structure.
    """
    return RearrangementPatch(model, appearances, structure, settings).applied_to(model)


class RearrangementPatch(ModelPatch):
    """What one Semantic Rearrangement node adds to a model."""

    def __init__(
        self,
        model: ModelPatcher,
        appearances: Sequence[Appearance],
        structure: Inversion | None,
        settings: RearrangementSettings,
    ):
        super().__init__(model, appearances, structure, settings)
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

    def begin(
        self, guider: Any, sigmas: list[float], percent_to_sigma: PercentToSigma, shape: Sequence[int]
    ) -> "RearrangementSession":
        guidance = guider.cfg if guider.conds.get("negative") else 1.0
        return RearrangementSession(self.plan, sigmas, percent_to_sigma, shape, guidance)

    def is_in_place(self, transformer_options: dict[str, Any]) -> bool:
        return self._rearrange in transformer_options.get("patches", {}).get("attn1_patch", ())

    def patch(self, clone: ModelPatcher) -> None:
        clone.set_model_attn1_patch(self._rearrange)

    def _rearrange(self, n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> Tokens:
        run = self.run
        if run is None or not in_decoder(extra) or not run.reads(extra, n):
            return n, context, value
        return run.rearrange(n, context, value, extra)


class RearrangementSession(ReferenceSession):
    """One sampling run with rearranged features: its feature banks hold, for each prompt, features [images, N, C]."""

    method = "Semantic Rearrangement"
    settings: RearrangementSettings

    def __init__(
        self,
        plan: TransferPlan,
        sigmas: list[float],
        percent_to_sigma: PercentToSigma,
        shape: Sequence[int],
        guidance: float,
    ):
        self.correspondences = [entry.correspondence for entry in plan.appearances]
        self.appearance_masks = [entry.appearance_mask for entry in plan.appearances]
        self._positions: dict[tuple[int, Grid, Grid], Tensor] = {}
        for correspondence in self.correspondences:
            if correspondence is not None:
                _check_number(correspondence, shape[0])
                _check_shape("structure", correspondence.structure_image, shape[-2:])
        super().__init__(plan, sigmas, percent_to_sigma, shape, guidance)

    def prompts(self, step: int) -> Sequence[int]:
        """On structure steps also those whose rows are edited; see `RearrangementSettings`."""
        if not self.is_structural(step) or self.guidance <= 1.0:
            return (POSITIVE,)
        return (NEGATIVE,) if self.settings.structure_rule == OFFICIAL else (POSITIVE, NEGATIVE)

    def listening(self, cache: FeatureCache, blocks: Collection[int]) -> dict[str, Any]:
        def record(n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> Tokens:
            if in_decoder(extra) and layer_of(extra)[0] in blocks:
                prompts = extra["cond_or_uncond"]
                shown = {prompt: n[rows_of(prompt, prompts, len(n))] for prompt in prompts}
                cache.setdefault(layer_of(extra), LayerFeatures(grid_of(extra), {})).tensors.update(shown)
            return n, context, value

        return {"patches": {"attn1_patch": [record]}}

    def prepare(self, beside: ModelCall) -> None:
        """Match by DIFT what is not matched yet, once in a run."""
        if self.settings.match_source != DIFT or self.is_structural(self.step) or None not in self.correspondences:
            return
        structure = _dift(self.structure, beside)
        for number, known in enumerate(self.correspondences):
            if known is None:
                appearance = _dift(self.appearances[number], beside)
                self.correspondences[number] = _matched(structure, appearance, self.appearance_masks[number])

    def masks_at(self, grid: tuple[int, int]) -> Sequence[Tensor | None]:
        """A position is painted or not: matches are hard, and so is the reference code's mask."""
        return [None if mask is None else touched(mask, grid).float() for mask in self.masks]

    def rearrange(self, n: Tensor, context: Tensor, value: Tensor, extra: dict[str, Any]) -> Tokens:
        """What queries, keys and values are made of, [rows, N, C] each, with the references' features in the rows that
        this step edits."""
        offers = {
            row: self._offers(n[row], row % self.batch, prompt, extra)
            for prompt in self.prompts(self.step)
            for row in rows_of(prompt, extra["cond_or_uncond"], len(n))
        }

        def edited(tokens: Tensor) -> Tensor:
            tokens = tokens.clone()
            for row, offered in offers.items():
                tokens[row] = rearranged(tokens[row], offered)
            return tokens

        injected = INJECTED[self.settings.inject]
        return tuple(
            edited(tokens) if takes and self._is_of_output(tokens, n) else tokens
            for tokens, takes in zip((n, context, value), injected, strict=True)
        )

    def _is_of_output(self, tokens: Tensor, n: Tensor) -> bool:
        if tokens.shape == n.shape:
            return True
        self.warn_once(
            "Another node gives the decoder's self-attention keys and values of its own; they are not rearranged."
        )
        return False

    def _offers(self, own: Tensor, image: int, prompt: int, extra: dict[str, Any]) -> list[ReferenceFeatures]:
        """What the references of this step give to one output image, whose own features are [N, C]."""
        grid = grid_of(extra)
        offers = []
        for number, (shown, weights) in enumerate(zip(self.caches, self.weight_maps_at(grid), strict=True)):
            layer = shown.cache[layer_of(extra)]
            features = layer.tensors[prompt][shown.beside[image]].to(own)
            weight = weights[image].to(own.device)
            if self.is_structural(self.step):
                matches = torch.arange(len(features), device=own.device)
            elif self.correspondences[number] is not None:
                positions = self._regridded(number, grid, layer.grid)
                matches = positions[image % len(positions)].to(own.device)
            else:
                key_mask = self._key_mask(number, image, layer.grid, own.device)
                matches = match_features(own, features, weight > 0, key_mask)
            offers.append(ReferenceFeatures(features, matches, weight))
        return offers

    def _regridded(self, number: int, grid: Grid, appearance_grid: Grid) -> Tensor:
        """[images, N]: the best matches of an appearance between the token grids of a layer."""
        key = number, grid, appearance_grid
        if key not in self._positions:
            self._positions[key] = resample_matches(self.correspondences[number], grid, appearance_grid).best.flatten(1)
        return self._positions[key]

    def _key_mask(self, number: int, image: int, grid: Grid, device: torch.device) -> Tensor | None:
        """[N] bool: where the matches in an appearance, whose tokens are of this grid, may lie."""
        mask = self.appearance_masks[number]
        return None if mask is None else touched(mask, grid).flatten(1)[image % len(mask)].to(device)


def _dift(reference: RecordedReference, beside: ModelCall) -> Features:
    """DIFT of the inverted image, clean, under its own text."""
    x0 = reference.inversion.x0.to(device=beside.sigma.device, dtype=torch.float32)
    prompt = reference.prompt(beside.guider, x0, beside.seed)
    values = dift_of_x0(beside.guider.inner_model, x0, prompt, DiftSettings(), beside.model_options)
    return Features(values, image=reference.inversion.size)


def _matched(structure: Features, appearance: Features, mask: Tensor | None) -> Correspondence:
    """The matches of all pairs of a batch, where any of the three may be one for all."""
    mask = torch.ones(1, 1, 1) if mask is None else mask
    pairs = lcm(structure.images, appearance.images, len(mask))
    ours, theirs = (replace(x, values=_repeated(x.values, pairs)) for x in (structure, appearance))
    return match(ours, theirs, appearance_mask=_repeated(mask.to(structure.values.device), pairs))


def _repeated(images: Tensor, times: int) -> Tensor:
    return images[torch.arange(times) % len(images)]


def _check_shape(which: str, image: Grid, size: Sequence[int]) -> None:
    """Raise where the matches are of an image of another shape than the latents (h, w) that they are used on."""
    height, width = size
    if abs(image[1] * height - image[0] * width) > max(image):  # more than one latent pixel
        raise ValueError(
            f"The matches of an appearance were made with {image[1]}x{image[0]} pixels of the {which} "
            f"and the latents of the {which} are {width}x{height}, another shape. Make the features of the {which} "
            "from the same image, as it went to VAE Encode."
        )


def _check_number(correspondence: Correspondence, batch: int) -> None:
    if batch % correspondence.images:
        raise ValueError(
            f"The matches of an appearance are of {correspondence.images} images and the batch to sample {batch}: "
            "match one image for all outputs, or as many as there are outputs."
        )
