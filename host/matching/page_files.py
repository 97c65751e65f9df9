"""What the page works on between two runs: files in ComfyUI's temp folder, named by their content."""

import hashlib
import logging
import re
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io, ui
from torch import Tensor

from ...correspondence import evidence as field_storage
from ...correspondence.evidence import FieldEvidence
from ...objects import evidence as object_storage
from ...objects.evidence import ObjectEvidence
from ...storage.atomic_write import atomic_write
from ...storage.regular_file import lies_inside
from ..runtime.quoting import quoted

log = logging.getLogger("appearance_transfer")

OBJECT, FIELD = "found_object", "matched_pair"
LARGEST = 64 * 2**20
"""Bytes of a file; features of two grids of 64 x 64 with 1280 channels have 40 MiB."""


def object_view(evidence: ObjectEvidence, image: Tensor) -> dict[str, list[dict[str, Any]]]:
    """What the page is told of a run of Find Object, under one name: where the image and its evidence lie.

    image: [1, H, W, 3] in 0..1. As often as a node runs on the same, there is one evidence.
    """
    kept = _keep(OBJECT, object_storage.encode(evidence))
    saved = ui.ImageSaveHelper.save_images(image, Path(kept["filename"]).stem, io.FolderType.temp, cls=None)[0]
    height, width = evidence.image
    return {"found_object": [{"image": saved, "evidence": kept, "width": width, "height": height}]}


def keep_field(evidence: FieldEvidence) -> ui.SavedResult | None:
    """Where the evidence of a field lies; None where it would be too large, of which a warning tells."""
    if evidence.size > LARGEST:
        log.warning(
            "The features are %.0f MiB large, so the field on the node does not follow a dragged point until the next "
            "run; up to %.0f MiB it does.", evidence.size / 2**20, LARGEST / 2**20,
        )  # fmt: skip
        return None
    return _keep(FIELD, field_storage.encode(evidence))


def object_evidence(name: str) -> ObjectEvidence:
    """The evidence of this file name. Raises ValueError for another name, and where there is no such file any more."""
    return object_storage.load(_path(OBJECT, name))


def field_evidence(name: str) -> FieldEvidence:
    """The same of a field."""
    return field_storage.load(_path(FIELD, name))


def _keep(kind: str, content: bytes) -> ui.SavedResult:
    name = f"{kind}_{hashlib.sha256(content).hexdigest()[:32]}.safetensors"
    path = _folder() / name
    if not path.is_file():
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic_write(path, content)
    return ui.SavedResult(name, "", io.FolderType.temp)


def _path(kind: str, name: str) -> Path:
    if not re.fullmatch(f"{kind}_[0-9a-f]{{32}}\\.safetensors", name):
        raise ValueError(f"{quoted(name)} is no name of a file that this node writes. Queue again.")
    path = _folder() / name
    if not path.is_file() or not lies_inside(path, _folder()) or path.stat().st_size > 2 * LARGEST:
        raise ValueError("What this node found in its last run is gone from the temp folder. Queue again.")
    return path


def _folder() -> Path:
    return Path(folder_paths.get_temp_directory())
