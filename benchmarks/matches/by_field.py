"""Pocket pairs matched by fused features: every method, the field with a step left out, and the silhouette alone.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import partial

import torch

from ...correspondence.box import Box
from ...correspondence.correspondence import Correspondence
from ...correspondence.fusion import fused
from ...correspondence.match import FIELD, NEAREST, TRANSPORT, match
from ...correspondence.pck import find_keypoints, reference_sizes
from ..transfers.fused_sides import ONE_DRAW, Sides, fused_sides
from ..transfers.inverted import Models, pocket_models
from ..transfers.pairs import SIZE, RenderedPairs, rendered
from .failures import Worst, by_side, worst
from .field_rows import EIGHT, FREE, MASKED, ONE, PLACE, SIDE, SILHOUETTE, WITH_SILHOUETTE, Results, compared
from .field_steps import LEFT_OUT
from .hard_cases import Structures, as_they_are, at_the_border, two_in_one_image
from .keypoints import Keypoints, fractions_found
from .sides import BothWays, both_ways, decided_right, row_of, should_mirror
from .silhouettes import silhouette

TWO_TIMESTEPS = (((421, 1), 1.0), ((621, 1), 1.0), ((621, 0), 0.5))
BINS = 5
BLOCKS = {"up block 1 alone": ONE_DRAW[:1], "up block 0 alone": ONE_DRAW[1:]}
HARD = {"two animals in the structure": two_in_one_image, "the structure cropped": at_the_border}
FEW = 16
"""Pairs that are measured so."""


@dataclass(frozen=True, eq=False)
class FieldResults:
    """values: PCK of every row, a value per pair. reliability: of the field, the share of right matches by its
    confidence. worst: the pairs that it matches worst, by what they are.
    """

    values: Results
    reliability: Results
    worst: dict[str, Worst]


def measured(truth: RenderedPairs) -> FieldResults:
    """Everything that is said of the field."""
    models, structures = pocket_models(), as_they_are(truth)
    keypoints = structures.keypoints(truth)
    values: Results = {}
    reliability: Results = {}
    failures: dict[str, Worst] = {}
    for name, recipe, ensemble in ((ONE, ONE_DRAW, 1), (EIGHT, TWO_TIMESTEPS, 8)):
        features = fused_sides(models, truth, recipe, ensemble)
        for method in (NEAREST, TRANSPORT, FIELD):
            row = f"{name}, {method}"
            ways = both_ways(features, partial(match, method=method), truth)
            free = both_ways(features, partial(match, method=method), truth, masks=False)
            values[row] = row_of(ways, ways.by_cosine(), truth, keypoints)
            values[row][FREE] = fractions_found(free.taken(free.by_cosine()), keypoints).tolist()
            if method == FIELD:
                matches = ways.taken(ways.by_cosine())
                reliability[row] = dict(reliability_of(matches, keypoints))
                values |= _mirrored_otherwise(row, ways, truth, keypoints)
                failures |= (
                    by_side(structures, truth, matches, fractions_found(matches, keypoints)) if name == ONE else {}
                )
        if name == ONE:
            values |= _left_out(features, truth, keypoints) | _by_one_block(models, truth, keypoints)
            values |= _by_silhouettes(features, truth, keypoints)
    table = compared(values)
    for kind, hard in HARD.items():
        row, failures[kind] = _hard(models, hard, truth)
        table[f"{ONE}, {FIELD}: without masks, {kind}"] = row
    return FieldResults(table, reliability, failures)


def _mirrored_otherwise(row: str, ways: BothWays, truth: RenderedPairs, keypoints: Keypoints) -> Results:
    """The same matches with other decisions on the side."""
    decisions = {
        "mirrored by its confidence": ways.by_confidence(),
        "never mirrored": torch.zeros(len(truth.pairs), dtype=torch.bool),
        "the true side given": should_mirror(truth),
    }
    return {f"{row}: {name}": row_of(ways, decision, truth, keypoints) for name, decision in decisions.items()}


def _left_out(features: Sides, truth: RenderedPairs, keypoints: Keypoints) -> Results:
    """The field with one step left out; each decides on the side by itself."""
    values = {}
    for name, steps in LEFT_OUT.items():
        ways = both_ways(features, steps.match, truth)
        values[f"{ONE}, {FIELD}: {name}"] = row_of(ways, ways.by_cosine(), truth, keypoints)
    return values


def _hard(
    models: Models, structures_of: Callable[[RenderedPairs], Structures], truth: RenderedPairs
) -> tuple[dict[str, list[float]], Worst]:
    """The field on other structures of the first pairs, in whole images."""
    few = rendered(list(truth.pairs[:FEW]), SIZE)
    structures = structures_of(few)
    ways = both_ways(
        fused_sides(models, few, structures=structures.images), partial(match, method=FIELD), few, masks=False
    )
    matches = ways.taken(ways.by_cosine())
    fractions = fractions_found(matches, structures.keypoints(few))
    row = {MASKED: fractions.tolist(), SIDE: decided_right(ways.by_cosine(), few)}
    return row, worst(structures, few, matches, fractions, torch.ones(len(fractions), dtype=torch.bool))


def _by_one_block(models: Models, truth: RenderedPairs, keypoints: Keypoints) -> Results:
    """One feature in place of fused ones."""
    values = {}
    for name, recipe in BLOCKS.items():
        ways = both_ways(fused_sides(models, truth, recipe), partial(match, method=FIELD), truth)
        values[f"{ONE}, {FIELD}: {name}"] = row_of(ways, ways.by_cosine(), truth, keypoints)
    return values


def _by_silhouettes(features: Sides, truth: RenderedPairs, keypoints: Keypoints) -> Results:
    """What silhouettes alone say, with the true side given; and what they add to the features of a network."""
    by_field = partial(match, method=FIELD)
    masks = truth.structure.mask, truth.appearance.mask, truth.appearance.mask.flip(-1)
    structure, appearance, mirrored = map(silhouette, masks)
    shapes = structure, appearance, mirrored
    alone = both_ways(shapes, by_field, truth).taken(should_mirror(truth))
    together = both_ways(_beside(features, shapes), by_field, truth)
    return {
        WITH_SILHOUETTE: row_of(together, together.by_cosine(), truth, keypoints),
        PLACE: {MASKED: fractions_found(_same_place(truth), keypoints).tolist()},
        SILHOUETTE: {MASKED: fractions_found(alone, keypoints).tolist()},
    }


def _beside(features: Sides, shapes: Sides) -> Sides:
    structure, appearance, mirrored = (
        replace(one, values=fused([one.values, shape.values], [1.0, 1.0], one.grid))
        for one, shape in zip(features, shapes, strict=True)
    )
    return structure, appearance, mirrored


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
