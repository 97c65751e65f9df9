"""Do the pocket networks paint what a caption names?

`python dev.py bench captions [--rounds N] [--only NAME ...]` samples captions of plain coats, every species in every
color, with 20 steps at cfg 3 (DDIM, for the transformer Euler) by each network at its own image size. It writes
results/captions_samples.csv with every sample, and results/captions.csv, per species and in all: *color* is the share
of the samples whose body, as the segmenter sees it, is nearest to the named color; *species* the share in which a
classifier, which was trained on renderings, reads the named species. The first samples are shown in
captions_NETWORK.png, not chosen. Networks that are not run keep the values that an earlier run has written.
"""

from __future__ import annotations

import argparse
from itertools import product
from pathlib import Path

import torch
from torch import Tensor
from tqdm import tqdm

from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..pocket.checkpoint import NETWORKS
from ..pocket.checkpoint_file import read_checkpoint
from ..pocket.diffusion import sample_ddim
from ..pocket.flow import sample_flow
from ..pocket.scene import COLORS, GROUNDS, SPECIES
from ..pocket.segmenter import segment_parts
from ..pocket.text import tokenize
from .edits.classifier import SceneClassifier, classifier_metadata, load_classifier
from .edits.measures import BODY, body_colors
from .reporting import RESULTS
from .reporting.cases import Cases, read_cases, write_cases
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table

STEPS, CFG = 20, 3.0
CHUNK = 10
DISPLAYED = 4
ALL = "all species"
Subject = tuple[str, str]
"""Species and color."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Sample with every network, write the tables and the sheets, say the table."""
    options = _options(arguments)
    subjects = list(product(SPECIES, COLORS)) * options.rounds  # more rounds begin with the same samples
    classifier = load_classifier()
    path = options.out / "captions_samples.csv"
    values = read_cases(path)
    for network in options.only or NETWORKS:
        size = read_checkpoint(NETWORKS[network]).metadata["image_size"]
        images = sampled(network, captions(subjects), size)
        values[network] = judged(subjects, images, classifier)
        write_sheet(options.out / f"captions_{network.replace(' ', '_')}.png", _first(subjects, images))
    most = max(len(cases) for metrics in values.values() for cases in metrics.values())
    every = (subjects * most)[:most]
    write_cases(path, ("species", "color"), every, values)
    table = by_species(every, values)
    table["the classifier on renderings"] = {"species": classifier_metadata()["rendered"]["species"]}
    write_table(options.out / "captions.csv", table, rows_stay=bool(options.only))
    echo(as_text(table))
    return 0


def _first(subjects: list[Subject], images: Tensor) -> dict[str, Tensor]:
    """The first samples of every species, a column each."""
    colors = ", ".join(tuple(COLORS)[:DISPLAYED])
    rows = {species: [row for row, (named, _) in enumerate(subjects) if named == species] for species in SPECIES}
    return {f"{species}: {colors}": images[found[:DISPLAYED]] for species, found in rows.items()}


def captions(subjects: list[Subject]) -> list[str]:
    """A full caption for each (species, color), the grounds in turn."""
    grounds = (GROUNDS[number % len(GROUNDS)] for number in range(len(subjects)))
    return [
        f"a photo of a plain {color} {species} on {ground}"
        for (species, color), ground in zip(subjects, grounds, strict=True)
    ]


@torch.no_grad()
def sampled(network: str, texts: list[str], size: int) -> Tensor:
    """The images [N, size, size, 3] in 0..1 of the captions, from noise of seed 0."""
    checkpoint = read_checkpoint(NETWORKS[network])
    denoiser, text, _ = checkpoint.models()
    *_, autoencoder = read_checkpoint().models()  # which all share
    form, side = checkpoint.transformer_config, size // 8
    tokens = form.text_tokens if form else None
    noise = torch.randn(len(texts), 4, side, side, generator=torch.Generator().manual_seed(0))
    pieces = []
    for rows in tqdm(torch.arange(len(texts)).split(CHUNK), desc=network):
        context = text(tokenize([texts[row] for row in rows.tolist()]))[:, :tokens]
        empty = text(tokenize([""]))[:, :tokens].expand_as(context)
        latents = (sample_flow if form else sample_ddim)(denoiser, noise[rows], context, empty, STEPS, CFG)
        pieces.append(autoencoder.decode(latents).clamp(0.0, 1.0).movedim(1, -1))
    return torch.cat(pieces)


def judged(subjects: list[Subject], images: Tensor, classifier: SceneClassifier) -> dict[str, list[float]]:
    """1 for every image that shows the named color, and the named species, 0 for the others."""
    parts = torch.cat([segment_parts(some) for some in images.split(CHUNK)])
    has_body = (parts == BODY).flatten(1).any(1).tolist()
    colors, seen = body_colors(images, parts), classifier.predictions(images)["species"]
    return {
        "color": [
            float(body and color == named) for (_, named), color, body in zip(subjects, colors, has_body, strict=True)
        ],
        "species": [float(guess == species) for (species, _), guess in zip(subjects, seen, strict=True)],
    }


def by_species(subjects: list[Subject], values: Cases) -> Cases:
    """Every network's samples species by species, and all of them."""
    table: Cases = {}
    for network, metrics in values.items():
        for kind in (*SPECIES, ALL):
            rows = [row for row, (species, _) in enumerate(subjects) if kind in (species, ALL)]
            if rows:
                name = f"{network}: {kind}"
                table[name] = {
                    metric: [cases[row] for row in rows if row < len(cases)] for metric, cases in metrics.items()
                }
    return table


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench captions", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--rounds", type=int, default=2, metavar="N", help="samples per caption (default: 2)")
    parser.add_argument("--only", nargs="+", choices=NETWORKS, metavar="NAME", help="these networks; all if left out")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if options.rounds < 1:
        parser.error("--rounds must be 1 or more")
    return options
