"""What is said before a run that gives the pocket checkpoint images which it cannot know."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from .cli_output import CliError, echo
from .image_files import read_image

if TYPE_CHECKING:
    from ..pocket.familiarity import Networks

LOADER = "AppearanceTransfer_LoadPocketCheckpoint"
MOST_FILES = 20  # files at most; each takes a tenth of a second


def uses_pocket_checkpoint(workflow: Mapping[str, Any]) -> bool:
    """Does a workflow of either of ComfyUI's forms load it?"""
    nodes = workflow["nodes"] if "nodes" in workflow else workflow.values()
    return any(LOADER in (node.get("class_type"), node.get("type")) for node in nodes if isinstance(node, Mapping))


def advise(files: Sequence[Path]) -> None:
    """Say what to give instead where one of the images is far from the pocket world, with the first such name."""
    from ..pocket.checkpoint_file import read_checkpoint

    networks = read_checkpoint().models()
    far = next((file for file in files[:MOST_FILES] if _is_far(networks, file)), None)
    if far is not None:
        echo(
            f"The pocket checkpoint knows toy animals only, and {far} is far from them: the result will not look like "
            "it. Give an SD1.5 checkpoint of your own with --checkpoint FILE, or use Splice, which needs none "
            "(workflow 10)."
        )


def _is_far(networks: "Networks", file: Path) -> bool:
    import torch

    from ..pocket.familiarity import FAR, strangeness

    try:
        image = read_image(file)
    except CliError:
        return False  # a grid goes on without it, and says so
    pixels = torch.from_numpy(np.asarray(image, dtype=np.float32) / 255.0)
    return bool(strangeness(networks, pixels[None])[0] > FAR)
