"""The image of photographs in README.md: objects found and matched by DINOv2, and what Splice makes of them.

`python dev.py bench photograph_panels` writes docs/images/photographs.jpg by running nodes on the two photographs that
may be shown (benchmarks/photographs). The generator is the one that `bench splice faces` has trained.
"""

from __future__ import annotations

from torch import Tensor

from ..developer.cli_output import CliError, echo, step
from ..developer.client import Graph
from ..developer.gallery.parts import node
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.paths import ROOT
from ..developer.server import temporary_home
from ..developer.transfer_graph import OURS
from .help_images import SIMILARITY, SPLICE
from .splice import FACES, trained
from .thumbnails import as_image, lay_ready, runnable, side_by_side, taken

PATH = ROOT / "docs" / "images" / "photographs.jpg"
HEIGHT = 256
ROLES = ("structure", "appearance")
DIMMED = 0.25
"""How bright what is not the object stays."""


def main(installation: Installation, arguments: list[str]) -> int:
    """Make the image."""
    if not trained(FACES).is_file():
        raise CliError(f"There is no generator of the photographs yet: run `dev.py bench splice {FACES}` first.")
    with temporary_home() as home:
        lay_ready(home)
        host = Host(installation.host, home)
        with step("Finding, matching and applying"):
            panels = list(map(as_image, panels_of(host)))
    side_by_side(panels, HEIGHT).save(PATH, quality=88)
    echo(f"Wrote {PATH.relative_to(ROOT).as_posix()}.")
    return 0


def panels_of(host: Host) -> list[Tensor]:
    """[H, W, 3] each: both objects, their matches, and the structure with the look of the appearance."""
    graph = graph_of_panels()
    objects = []
    for role in ROLES:
        image, mask = taken(host, graph, [(role, 0), (f"object_{role}", 0)])
        objects.append(image * (DIMMED + (1 - DIMMED) * mask[..., None]))
    (matches,) = taken(host, graph, [("draw", 0)])
    (output,) = taken(host, runnable(SPLICE), [("apply", 0)])
    return [*objects, matches, output]


def graph_of_panels() -> Graph:
    """Objects by features of DINO, and matches inside them by the whole field."""
    graph = runnable(SIMILARITY)
    match = dict(graph["match"]["inputs"], method="field")
    for role in ROLES:
        graph[f"object_{role}"] = node(OURS + "FindObject", image=[role, 0], features=[f"features_{role}", 0])
        match[f"{role}_mask"] = [f"object_{role}", 0]
    return graph | {"match": graph["match"] | {"inputs": match}}
