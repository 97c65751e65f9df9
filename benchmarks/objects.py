"""Is the object found? Held-out pocket scenes, whole, cropped and in twos, and the time it takes beside the network.

`python dev.py bench objects [--pairs N]` writes results/objects.csv: the IoU with the true silhouette of Find Object,
of Find Object with one of its steps left out or replaced, and of what it has to beat, means with 95 % bootstrap
intervals over images; how far each lies from Find Object, image by image; the share of images at an IoU of 0.8 or more;
and the seconds that finding takes at 512 px on one core. objects.png and objects_two_animals.png have the images that
were found worst. Settings were chosen on other pairs, with --first-seed 800000.
"""

from __future__ import annotations

import argparse
import time
from functools import partial

import torch
from torch import Tensor

from ..developer.cli_output import echo
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.server import temporary_home
from ..evaluation.overlap import intersection_over_union, overlap_image
from ..objects.find import find_object
from .object_masks.scenes import Objects, cropped, two_animals, whole
from .reporting.cases import Cases
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table
from .transfers.pair_options import add_first_seed, pair_parser, parsed
from .transfers.pairs import held_out_pairs

FIND, SEGMENTED = "Find Object", "Self-Segmentation"
CLICKED = f"{FIND}, one click on the object"
IOU, GOOD, LESS, SECONDS = "IoU", "IoU of 0.8 or more", f"IoU less {FIND}'s", "seconds"
TWO = "two animals"
WORST = 8
SD15_GRIDS = ((1280, 32), (640, 64))
"""Channels and positions a side of the up blocks that Find Object reads at 512 px."""
REPEATS = 5


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure every row, write table and sheet, say the table."""
    options = _options(arguments)
    pairs = held_out_pairs(options.pairs, options.first_seed)
    scenes = [scene for pair in pairs for scene in (pair.structure, pair.appearance)]
    values: Cases = {}
    with temporary_home() as home, torch.inference_mode():
        Host(installation.host, home)
        sets = {"whole": whole(scenes), "cropped": cropped(scenes), TWO: two_animals(scenes)}
        masks = {
            name: found_masks(objects, segmentation=name == "whole", steps=name != TWO)
            for name, objects in sets.items()
        }
    for name, objects in sets.items():
        ious = {way: intersection_over_union(found, objects.masks) for way, found in masks[name].items()}
        for way, iou in ious.items():
            values[f"{way}, {name}"] = {IOU: iou.tolist(), GOOD: (iou >= 0.8).float().tolist()}
            if way != FIND:
                values[f"{way}, {name}"][LESS] = (iou - ious[FIND]).tolist()
    values[f"{FIND} beside the network, 512 px, one core"] = {SECONDS: seconds()}
    write_table(options.out / "objects.csv", values)
    alone = worst("whole", sets["whole"], masks["whole"][FIND])
    alone |= worst("cropped", sets["cropped"], masks["cropped"][FIND])
    write_sheet(options.out / "objects.png", alone)
    in_twos = worst("with a click", sets[TWO], masks[TWO][CLICKED])
    write_sheet(options.out / "objects_two_animals.png", in_twos)
    echo(as_text(values))
    return 0


def found_masks(objects: Objects, *, segmentation: bool, steps: bool) -> dict[str, Tensor]:
    """bool [B, H, W] of every way. segmentation: by Self-Segmentation, too. steps: with one step left out, too. Needs
    ComfyUI.
    """
    from .object_masks import ways
    from .object_masks.steps import left_out
    from .transfers.inverted import FOUND, THREE_SEGMENTS, pocket_models

    this = ways.seen(pocket_models(), objects)
    chosen: dict[str, ways.Way] = {
        FIND: ways.found,
        CLICKED: partial(ways.found, click=True),
        "ranking of features alone": ways.ranked,
        f"{FIND}, coarse block alone": partial(ways.found, blocks=(0,)),
        f"{FIND}, fine block alone": partial(ways.found, blocks=(1,)),
        "an ellipse in the middle": ways.middle,
    }
    if steps:
        steps_left_out = left_out(ways.MIDDLE_SHARE)
        chosen |= {f"{FIND}, {name}": partial(ways.by_step, step=step) for name, step in steps_left_out.items()}
    if segmentation:
        chosen[SEGMENTED] = partial(ways.self_segmented, settings=FOUND)
        chosen[f"{SEGMENTED}, three segments"] = partial(ways.self_segmented, settings=THREE_SEGMENTS)
    found = {name: way(this) for name, way in chosen.items()}
    if segmentation:
        found |= {f"{name}, walked": ways.walked(this, found[name]) for name in chosen if name.startswith(SEGMENTED)}
    return found


def worst(name: str, objects: Objects, found: Tensor) -> dict[str, Tensor]:
    """The images whose object was found worst, and what was found beside the truth."""
    order = intersection_over_union(found, objects.masks).argsort()[:WORST]
    return {
        f"found worst, {name}": objects.images[order],
        f"{name}: orange too much, blue too little": overlap_image(found[order], objects.masks[order]),
    }


def seconds() -> list[float]:
    """Of find_object on features of SD1.5's size and an image of 512 px, noise of seed 0, on one core."""
    random = torch.Generator().manual_seed(0)
    maps = [torch.randn(channels, side, side, generator=random) for channels, side in SD15_GRIDS]
    image = torch.rand(512, 512, 3, generator=random)
    threads = torch.get_num_threads()
    torch.set_num_threads(1)
    taken = []
    for _ in range(REPEATS):
        start = time.perf_counter()
        find_object(maps, image)
        taken.append(time.perf_counter() - start)
    torch.set_num_threads(threads)
    return taken


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = pair_parser("objects", __doc__ or "", 32)
    add_first_seed(parser)
    return parsed(parser, arguments)
