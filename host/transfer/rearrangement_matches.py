"""Which position of an appearance a position of the output takes: as given, as found, by DIFT, or by its features."""

from dataclasses import replace
from math import lcm
from typing import NamedTuple

import torch
from torch import Tensor

from ...attention.rearrangement import match_features, touched
from ...correspondence.between import positions_around
from ...correspondence.correspondence import NO_MATCH, Correspondence
from ...correspondence.dift import DiftSettings
from ...correspondence.features import Features
from ...correspondence.resample import resample_matches
from ..matching.dift_features import dift_of_x0
from ..matching.matched import matched
from ..models.attention_layer import AttentionLayer, Grid
from .found_guidance import repeated
from .given_or_found import GivenOrFound
from .references import ModelCall, RecordedReference


class Sources(NamedTuple):
    """matches [N] and fractions None; or, between positions, matches and fractions [N, 4]. See `ReferenceFeatures`."""

    matches: Tensor
    fractions: Tensor | None = None

    def whole(self) -> "Sources":
        """The position that counts most in place of those between which a match lies."""
        if self.fractions is None:
            return self
        return Sources(self.matches.gather(-1, self.fractions.argmax(dim=-1, keepdim=True))[..., 0])


class RearrangementMatches:
    """The matches of one run with its appearances, by their number."""

    def __init__(self, known: GivenOrFound):
        self.known = known
        self._by_dift: dict[int, Correspondence] = {}
        self._sources: dict[tuple[int, Grid, Grid, bool], Sources] = {}

    def match_by_dift(
        self, call: ModelCall, structure: RecordedReference, appearances: list[RecordedReference]
    ) -> None:
        """Match what is not matched yet, once in a run, inside the masks of the appearances."""
        missing = [number for number in range(len(appearances)) if self._of(number) is None]
        if not missing:
            return
        of_structure = _dift(structure, call)
        for number in missing:
            of_appearance = _dift(appearances[number], call)
            self._by_dift[number] = _matched(of_structure, of_appearance, self.known.appearance_mask(number))

    def at(
        self,
        number: int,
        image: int,
        layer: AttentionLayer,
        appearance_grid: Grid,
        own: Tensor,
        features: Tensor,
        weight: Tensor,
    ) -> Sources:
        """The sources of one output's positions in an appearance, on the device of `own`.

        appearance_grid: of the layer in the appearance. own [N, C], features [m, C]: what entered that layer. weight:
        [N], above 0 where a match is needed.
        """
        if self._of(number) is None:
            key_mask = self._key_mask(number, image, appearance_grid, own.device)
            return Sources(match_features(own, features, weight > 0, key_mask))
        sources = self._resampled(number, layer, appearance_grid)
        row = image % len(sources.matches)
        return Sources(*(None if part is None else part[row].to(own.device) for part in sources))

    def _of(self, number: int) -> Correspondence | None:
        matches = self.known.matches(number)
        return self._by_dift.get(number) if matches is None else matches

    def _resampled(self, number: int, layer: AttentionLayer, appearance_grid: Grid) -> Sources:
        """The sources [images, N] or [images, N, 4] of an appearance between the token grids of a layer; whole ones in
        a transformer, where the mean of several keys and values costs color.
        """
        key = number, layer.grid, appearance_grid, layer.joint
        if key not in self._sources:
            sources = _sources(resample_matches(self._of(number), layer.grid, appearance_grid))
            self._sources[key] = sources.whole() if layer.joint else sources
        return self._sources[key]

    def _key_mask(self, number: int, image: int, grid: Grid, device: torch.device) -> Tensor | None:
        """[N] bool: where the matches in an appearance, whose tokens are of this grid, may lie."""
        mask = self.known.appearance_mask(number)
        return None if mask is None else touched(mask, grid).flatten(1)[image % len(mask)].to(device)


def _sources(matches: Correspondence) -> Sources:
    best = matches.best.flatten(1)
    if matches.subcell is None:
        return Sources(best)
    positions, fractions = positions_around(matches.subcell.flatten(1, 2), matches.appearance_grid)
    return Sources(torch.where(best[..., None] == NO_MATCH, NO_MATCH, positions), fractions)


def _dift(reference: RecordedReference, call: ModelCall) -> Features:
    """DIFT of the inverted image, clean, under its own text."""
    x0 = reference.inversion.x0.to(device=call.sigma.device, dtype=torch.float32)
    prompt = reference.prompt(call.guider, x0, call.seed)
    values = dift_of_x0(call.guider.inner_model, x0, prompt, DiftSettings(), call.model_options)
    return Features(values, image=reference.inversion.size)


def _matched(structure: Features, appearance: Features, mask: Tensor | None) -> Correspondence:
    """The matches of all pairs of a batch, where any of the three may be one for all."""
    mask = torch.ones(1, 1, 1) if mask is None else mask
    pairs = lcm(structure.images, appearance.images, len(mask))
    ours, theirs = (replace(x, values=repeated(x.values, pairs)) for x in (structure, appearance))
    return matched(ours, theirs, appearance_mask=repeated(mask.to(structure.values.device), pairs))
