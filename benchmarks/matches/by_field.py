"""Pocket pairs matched by fused features: every method, the steps of the field, and the silhouette alone.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

import torch

from ...correspondence.box import Box
from ...correspondence.correspondence import Correspondence
from ...correspondence.match import FIELD, NEAREST, TRANSPORT, match
from ...correspondence.mirroring import matched_side
from ...correspondence.pck import find_keypoints, reference_sizes
from ..transfers.fused_sides import ONE_DRAW, Sides, fused_sides
from ..transfers.inverted import Models, pocket_models
from ..transfers.pairs import RenderedPairs
from .keypoints import Keypoints, fractions_found, keypoints_of

TWO_TIMESTEPS = (((421, 1), 1.0), ((621, 1), 1.0), ((621, 0), 0.5))
BINS = 5
Results = dict[str, dict[str, list[float]]]
MASKED, FREE, SIDE = (
    "PCK@0.1, mirrored as fits",
    "PCK@0.1, mirrored as fits, without masks",
    "mirrored where it should be",
)


def measured(truth: RenderedPairs) -> tuple[Results, Results]:
    """PCK of every row, a value per pair; and of the field the share of right matches by its confidence."""
    models, keypoints = pocket_models(), keypoints_of(truth)
    values: Results = {}
    reliability: Results = {}
    for name, features in _features(models, truth):
        for method in (NEAREST, TRANSPORT, FIELD):
            row = f"{name}, {method}"
            masked, right = _chosen(features, method, truth, masks=True)
            free, _ = _chosen(features, method, truth, masks=False)
            values[row] = {
                MASKED: fractions_found(masked, keypoints).tolist(),
                FREE: fractions_found(free, keypoints).tolist(),
                SIDE: right,
            }
            if method == FIELD:
                reliability[row] = dict(reliability_of(masked, keypoints))
    values["no network: the same place in the box"] = {MASKED: fractions_found(_same_place(truth), keypoints).tolist()}
    return values, reliability


def _features(models: Models, truth: RenderedPairs) -> Iterator[tuple[str, Sides]]:
    for name, recipe, ensemble in (("one draw", ONE_DRAW, 1), ("8 draws of two timesteps", TWO_TIMESTEPS, 8)):
        yield name, fused_sides(models, truth, recipe, ensemble)


def _chosen(features: Sides, method: str, truth: RenderedPairs, *, masks: bool) -> tuple[Correspondence, list[float]]:
    """Matches with the side that resembles the structure more; and whether that is the side it faces (1) or not (0)."""
    matches, mirroring = matched_side(
        *features,
        structure_mask=truth.structure.mask if masks else None,
        appearance_mask=truth.appearance.mask if masks else None,
        matcher=partial(match, method=method),
    )
    right = [float(done != pair.same_side) for done, pair in zip(mirroring.tolist(), truth.pairs, strict=True)]
    return matches, right


def _same_place(truth: RenderedPairs) -> Correspondence:
    """Every position of the one animal's box with the same place of the other's, mirrored where they face so."""
    size = truth.structure.mask.shape[-2:]
    points = []
    for ours, theirs, pair in zip(truth.structure.mask, truth.appearance.mask, truth.pairs, strict=True):
        here, there = Box.around(ours > 0), Box.around(theirs > 0)
        inside_box = here.from_image(Box(0, size[0], 0, size[1]).centers(), size)
        if not pair.same_side:
            inside_box = torch.stack([inside_box[:, 0], 1 - inside_box[:, 1]], dim=1)
        points.append(there.to_image(inside_box, size).clamp(0, 1).view(*size, 2))
    subcell = torch.stack(points)
    cells = (subcell * torch.tensor(size)).long().minimum(torch.tensor(size) - 1)
    index = (cells[..., 0] * size[1] + cells[..., 1])[:, None]
    ones = torch.ones_like(subcell[..., 0])
    return Correspondence(index, ones[:, None], ones, ones, tuple(size), tuple(size), tuple(size), subcell)


def reliability_of(matches: Correspondence, keypoints: Keypoints) -> Iterator[tuple[str, list[float]]]:
    """For each fifth of the confidence: what is said and whether it is right (1), of all keypoints in it."""
    sizes = reference_sizes(matches, keypoints.appearance, keypoints.mask)
    found = find_keypoints(matches, keypoints.structure, keypoints.appearance, sizes, 0.1)
    said, right = [], []
    scale = matches.grid[0] / matches.structure_image[0]
    for i, (points, result) in enumerate(zip(keypoints.structure, found, strict=True)):
        said += [float(matches.confidence[i, int(y * scale), int(x * scale)]) for x, y in points]
        right += result.correct.double().tolist()
    for k in range(BINS):
        inside = [
            j for j, value in enumerate(said) if k / BINS <= value < (k + 1) / BINS or value == (k + 1) / BINS == 1
        ]
        if inside:
            name = f"said {k / BINS:.1f} to {(k + 1) / BINS:.1f}"
            yield f"{name}, confidence", [said[j] for j in inside]
            yield f"{name}, right", [right[j] for j in inside]
