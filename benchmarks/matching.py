"""Do features find the same spot of another animal? Held-out pocket pairs, against the true correspondence.

`python dev.py bench matching [--pairs N] [--only NAME ...]` writes results/matching.csv: PCK@0.1 (of the longer side of
the appearance animal's box) of every kind of feature, means with 95 % bootstrap intervals over pairs. Settings were
chosen on other pairs, with --first-seed 800000. Features of the pocket transformer are compared on the same pairs at
256 px, with those of the U-Net for that size.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import torch
from torch.nn.functional import interpolate
from tqdm import tqdm

from ..correspondence.correspondence import Correspondence
from ..correspondence.features import Features
from ..correspondence.match import match
from ..correspondence.mirroring import mean_cosine
from ..developer.cli_output import CliError, echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from ..pocket.checkpoint import DEFAULT_NETWORK
from .matches.keypoints import Keypoints, fractions_found, keypoints_of
from .reporting.table import as_text, write_table
from .transfers.pair_options import add_first_seed, add_only, pair_parser, parsed
from .transfers.pairs import SIZE, RenderedPairs, ScenePair, held_out_pairs, rendered

PCK, ALIGNED, FREE = "PCK@0.1", "PCK@0.1, mirrored as fits", "PCK@0.1, without masks"
SIDE = "mirrored where it should be"
GRID = 32
"""Positions per side at which images are compared: finer than any of the features are, or as fine."""
LARGE_SIZE = 256
Results = dict[str, dict[str, list[float]]]
"""source -> measure -> a value per pair"""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every kind of feature, write the table, say the short of it."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs, options.first_seed)
    with temporary_home() as home:
        Host(installation.host, home)
        values = measured(rendered(pairs, SIZE), options.only)
    table = {name: dict(_in_groups(pairs, measures)) for name, measures in values.items()}
    write_table(options.out / "matching.csv", table)
    echo(as_text({name: dict(list(measures.items())[:5]) for name, measures in table.items()}))
    return 0


def measured(truth: RenderedPairs, only: list[str]) -> Results:
    """Every measure of every source, or of those in `only`. Needs ComfyUI. Raises Trouble for an unknown source."""
    from .matches.sources import sources, sources_at_256

    at_256 = dict(sources_at_256())
    known = {name: (DEFAULT_NETWORK, source) for name, source in sources()} | at_256
    if unknown := set(only) - known.keys():
        raise CliError(f"There is no source {', '.join(sorted(unknown))}; there are: {', '.join(known)}.")
    names = only or list(known)
    torch.manual_seed(0)  # of chance
    values: Results = {}
    with torch.inference_mode():
        values |= _of([name for name in names if name not in at_256], known, truth)
        if large := [name for name in names if name in at_256]:
            values |= _of(large, known, rendered(list(truth.pairs), LARGE_SIZE))
    return values


def _of(names: list[str], known: dict[str, tuple[str, Any]], truth: RenderedPairs) -> Results:
    """The measures of sources on images of one size, each of its network."""
    from .transfers.inverted import models_of

    keypoints = keypoints_of(truth)
    models = {network: models_of(network) for network in {known[name][0] for name in names}}
    return {
        name: measure(models[known[name][0]], known[name][1], truth, keypoints) for name in tqdm(names, leave=False)
    }


def measure(models: Any, source: Any, truth: RenderedPairs, keypoints: Keypoints) -> dict[str, list[float]]:
    """The share of keypoints that one source finds, for each pair: inside the animals' true masks, without masks, and
    inside the masks with the appearance mirrored where its features then are more like the structure's; and whether
    that was right (1), because the two face opposite ways, or not (0).

    (Choosing between the image and its mirror image by similarity is the pose alignment of Zhang et al., CVPR 2024,
    arXiv 2311.17034.)
    """
    structure = _finer(source(models, truth.structure.image, truth.structure_nouns))
    appearance = _finer(source(models, truth.appearance.image, truth.appearance_nouns))
    mirrored = _finer(source(models, truth.appearance.image.flip(2), truth.appearance_nouns))
    mirrored = replace(mirrored, values=mirrored.values.flip(-1))
    plain, flipped = (_inside_masks(structure, other, truth) for other in (appearance, mirrored))
    found, found_flipped = fractions_found(plain, keypoints), fractions_found(flipped, keypoints)
    mirroring = mean_cosine(flipped) > mean_cosine(plain)
    aligned = torch.where(mirroring, found_flipped, found)
    free = fractions_found(match(structure, appearance), keypoints)
    right = [float(done != pair.same_side) for done, pair in zip(mirroring.tolist(), truth.pairs, strict=True)]
    return {PCK: found.tolist(), ALIGNED: aligned.tolist(), FREE: free.tolist(), SIDE: right}


def _finer(features: Features) -> Features:
    """On the common grid of all sources; interpolated before it is normalized, as DIFT's evaluation does."""
    return replace(features, values=interpolate(features.values.float(), size=(GRID, GRID), mode="bilinear"))


def _inside_masks(structure: Features, appearance: Features, truth: RenderedPairs) -> Correspondence:
    masks = {"structure_mask": truth.structure.mask, "appearance_mask": truth.appearance.mask}
    return match(structure, appearance, **masks)


def _in_groups(pairs: list[ScenePair], measures: dict[str, list[float]]) -> Iterator[tuple[str, list[float]]]:
    """Every measure over all pairs; PCK also apart for the side that the two face, and for each pair of species."""
    yield from measures.items()
    groups: dict[str, list[float]] = {"facing the same way": [], "facing opposite ways": []}
    species = {" and ".join(sorted((pair.structure.species, pair.appearance.species))) for pair in pairs}
    groups |= {names: [] for names in sorted(species)}
    for pair, value in zip(pairs, measures[PCK], strict=True):
        groups["facing the same way" if pair.same_side else "facing opposite ways"].append(value)
        groups[" and ".join(sorted((pair.structure.species, pair.appearance.species)))].append(value)
    yield from ((f"{PCK}, {name}", values) for name, values in groups.items() if values)


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("matching", __doc__ or "", 64)
    add_first_seed(parser)
    add_only(parser, "sources")
    return parsed(parser, arguments)
