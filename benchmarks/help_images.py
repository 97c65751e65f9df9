"""The images of the help pages, made by running the workflows with all their steps.

`python dev.py bench help_images [NODE ...]` writes web/docs/images/NODE.jpg: panels from left to right, each what
flows out of one node of a workflow, where needed with another setting. What the workflows run on is told in
benchmarks/thumbnails.py.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor

from ..developer.cli_output import CliError, echo, step
from ..developer.client import Graph
from ..developer.in_process import Host
from ..developer.installation import Installation
from ..developer.paths import ROOT
from ..developer.server import temporary_home
from .thumbnails import PHOTOGRAPHED, lay_ready, runnable, taken, thumbnail

FOLDER = ROOT / "web" / "docs" / "images"
MAIN, INVERSIONS, MATCHING, EDITING = (
    "21_whole_transfer", "04_save_and_load_inversion", "05_dift_matching", "14_pix2pix_zero_real",
)  # fmt: skip
SPLICE, SIMILARITY, FACING = "10_splice", "13_key_self_similarity", "20_mirror_to_match"
EYE = "06_eye_for_an_eye"


@dataclass(frozen=True)
class Panel:
    """What flows out of the first output of a workflow's node. settings: by node, inputs to change before."""

    workflow: str
    node: str
    settings: Mapping[str, Mapping[str, Any]] = field(default_factory=dict)

    def image(self, host: Host) -> Tensor:
        """[H, W, 3] in 0..1."""
        graph: Graph = {
            name: about | {"inputs": about["inputs"] | self.settings.get(name, {})}
            for name, about in runnable(self.workflow).items()
        }
        (image,) = taken(host, graph, [(self.node, 0)])
        return image if image.dim() == 3 else image[..., None].expand(-1, -1, 3)


def _both(workflow: str) -> list[Panel]:
    """The images that go in."""
    return [Panel(workflow, "structure"), Panel(workflow, "appearance")]


IMAGES: dict[str, Sequence[Panel]] = {
    "CrossImageAttention": [
        *_both(MAIN),
        *(Panel(MAIN, "decode", {"attention": {"strength": strength}}) for strength in (0.25, 0.5, 1.0)),
    ],
    "AppearanceGuider": [
        *_both(MAIN),
        *(Panel(MAIN, "decode", {"guider": {"scale": s, "end_scale": max(1.0, s / 2)}}) for s in (1.0, 3.5, 8.0)),
    ],
    "ShowAttentionMatches": [*_both(MAIN), Panel(MAIN, "matches")],
    "SelfSegmentation": [
        Panel(MAIN, node) for node in ("structure", "mask_structure", "appearance", "mask_appearance")
    ],
    "InversionReport": [Panel(INVERSIONS, node) for node in ("structure", "report")],
    "DrawMatches": [Panel(MATCHING, "draw")],
    "MatchReferences": [*_both(EYE), Panel(EYE, "warp")],
    "MirrorToMatch": [*_both(FACING), Panel(FACING, "turned")],
    "WarpByMatches": [*_both(MATCHING), Panel(MATCHING, "warp")],
    "CrossAttentionGuider": [
        Panel(EDITING, "structure"),
        *(Panel(EDITING, "decode", {"guider": {"amount": amount}}) for amount in (0.0, 2.0)),
    ],
    "TrainSplice": [*_both(SPLICE), Panel(SPLICE, "apply")],
    "ShowKeySelfSimilarity": [
        Panel(SIMILARITY, node)
        for node in ("structure", "similarity_structure", "appearance", "similarity_appearance")
    ],
}  # fmt: skip


def main(installation: Installation, arguments: Sequence[str]) -> int:
    """Make the images named in `arguments`, or all."""
    if unknown := set(arguments) - IMAGES.keys():
        raise CliError(f"There is no image of {', '.join(sorted(unknown))}; there are: {', '.join(IMAGES)}.")
    chosen = {name: IMAGES[name] for name in arguments or IMAGES}
    FOLDER.mkdir(exist_ok=True)
    with temporary_home() as home:
        if any(panel.workflow in PHOTOGRAPHED for panels in chosen.values() for panel in panels):
            lay_ready(home)
        host = Host(installation.host, home)
        for name, panels in chosen.items():
            with step(f"Making {name}"):
                images = [panel.image(host) for panel in panels]
            thumbnail(images).save(FOLDER / f"{name}.jpg", quality=85)
            echo(f"Wrote {(FOLDER / name).relative_to(ROOT).as_posix()}.jpg.")
    return 0
