"""What the point pairs on a node need to answer a click: both images and their matches, kept in the temp folder."""

import json
import secrets
from pathlib import Path
from typing import Any

import folder_paths
from comfy_api.latest import io, ui
from torch import Tensor

from ...correspondence.correspondence import Correspondence
from ...correspondence.evidence import FieldEvidence
from ...correspondence.serialize import match_table
from .page_files import keep_field


def point_pairs_view(
    correspondence: Correspondence, structure: Tensor, appearance: Tensor, evidence: FieldEvidence | None = None
) -> dict[str, list[dict[str, Any]]]:
    """What the page is told, under one name: where the first structure, its appearance and their matches lie.

    structure: [B or 1, H, W, 3], appearance: [B or 1, H', W', 3], in 0..1, the images that were matched. Raises
    ValueError for others. evidence: of a field, which then follows a point that is dragged.
    """
    correspondence.check_images(structure, appearance)
    name = f"point_pairs_{secrets.token_hex(4)}"  # never one that a browser remembers from an earlier run
    positions = {
        role: ui.ImageSaveHelper.save_images(image[:1], f"{name}_{role}", io.FolderType.temp, cls=None)[0]
        for role, image in (("structure", structure), ("appearance", appearance))
    }
    positions["matches"] = ui.SavedResult(f"{name}.json", "", io.FolderType.temp)
    path = Path(folder_paths.get_temp_directory()) / positions["matches"].filename
    path.write_text(json.dumps(match_table(correspondence), separators=(",", ":")), encoding="ascii")
    if evidence is not None and (kept := keep_field(evidence)):
        positions["field"] = kept
    return {"point_pairs": [positions]}
