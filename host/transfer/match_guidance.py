"""What masks and matches, given or found, say to cross-image attention: a bias of its scores."""

from collections.abc import Sequence
from typing import Protocol

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from ...attention.match_prior import AttentionBias, log_prior
from ...correspondence.correspondence import NO_MATCH
from ...correspondence.resample import resample_matches
from ..models.attention_layer import AttentionLayer, Grid
from .found_guidance import Matching
from .given_or_found import GivenOrFound
from .plan import TransferPlan
from .references import ModelCall, RecordedReference

INSIDE = 0.9
"""How much of a transformer's token an appearance_mask has to cover for it to be read: what a token at the border shows
besides is painted with it, and no finer layer takes it back.
"""


class GuidanceSettings(Protocol):
    """What of the settings of cross-image attention is read here."""

    match_width: float
    fade: bool
    find: bool


class MatchGuidance:
    """What the appearances of one run have in masks and matches, as its layers take them."""

    def __init__(self, plan: TransferPlan, settings: GuidanceSettings):
        self.settings = settings
        self.appearances = plan.appearances
        self.known = GivenOrFound(plan.appearances, settings.find, Matching())
        self._structural = False
        self._biases: dict[tuple[int, Grid, Grid, bool], AttentionBias | None] = {}

    def check(self, shape: Sequence[int]) -> None:
        """Raise ValueError where matches are of another number of images than a batch of this shape [B, C, h, w]."""
        self.known.check(shape[0])
        for entry in self.appearances:
            if entry.appearance_mask is not None and not bool(entry.appearance_mask.any()):
                raise ValueError(
                    "An appearance_mask is empty, so nothing of that appearance may be read. Paint the region in the "
                    "appearance image, or disconnect it (LoadImage gives an empty mask for an image without "
                    "transparency)."
                )

    def prepare(
        self,
        call: ModelCall,
        structure: RecordedReference | None,
        appearances: list[RecordedReference],
        structural: bool,
    ) -> None:
        """Find what is missing, once in a run; remember which kind of step this is."""
        self._structural = structural
        self.known.prepare(call, structure, appearances)

    def output_masks(self, masks: Sequence[Tensor | None]) -> list[Tensor | None]:
        """The masks of what the appearances paint, with found ones where there are none."""
        return [self.known.output_mask(number) for number in range(len(masks))]

    def bias(
        self, number: int, layer: AttentionLayer, keys: Grid, rows: int, outputs: int, device: torch.device
    ) -> AttentionBias | None:
        """The bias of an appearance's keys for the queries of a layer; None on steps that read the structure.

        rows: of the layer's forward, of which each `outputs` are the batch.
        """
        if self._structural:
            return None
        asked = (number, layer.grid, keys, layer.joint)
        if asked not in self._biases:
            bias = self._bias(number, layer, keys)
            self._biases[asked] = None if bias is None else bias.to(device)
        bias = self._biases[asked]
        return None if bias is None else _of_rows(bias, torch.arange(rows, device=device) % outputs)

    def _bias(self, number: int, layer: AttentionLayer, keys: Grid) -> AttentionBias | None:
        mask, matches = self.known.appearance_mask(number), self.known.matches(number)
        key_mask = None if mask is None else _tokens(mask, keys, INSIDE if layer.joint else 0.0)
        if matches is None or self.settings.match_width <= 0:
            return None if key_mask is None else AttentionBias(key_mask=key_mask)
        fine = resample_matches(matches, layer.grid, keys)
        trust = (fine.best != NO_MATCH).float() * (fine.confidence if self.settings.fade else 1.0)
        image = (fine.appearance_image[0], fine.appearance_image[1])
        prior = log_prior(fine.points().flatten(1, 2), trust.flatten(1), keys, image, self.settings.match_width)
        return AttentionBias(prior.targets, prior.precision, prior.keys, key_mask)


def _tokens(mask: Tensor, grid: Grid, inside: float) -> Tensor:
    """[B, M] in 0..1: how much of each token the mask covers, or 1 where that is at least `inside` (if not 0) and 0
    elsewhere. Where nothing of it is left on the grid: what it covers, and then everything.
    """
    cover = interpolate(mask.float()[:, None], size=grid, mode="area").flatten(1)
    whole = (cover >= inside).float()
    if inside > 0:
        cover = torch.where(whole.amax(dim=1, keepdim=True) > 0, whole, cover)
    return torch.where(cover.amax(dim=1, keepdim=True) > 0, cover, 1.0)


def _of_rows(bias: AttentionBias, outputs: Tensor) -> AttentionBias:
    """The bias of each row of a forward, whose outputs are counted so."""

    def picked(tensor: Tensor | None) -> Tensor | None:
        return tensor if tensor is None or len(tensor) == 1 else tensor[outputs % len(tensor)]

    return AttentionBias(picked(bias.targets), picked(bias.precision), bias.keys, picked(bias.key_mask))
