"""The main job part by part: Semantic Rearrangement in the place of cross-image attention."""

from collections.abc import Mapping
from typing import Any

from ..correspondence.match import TRANSPORT
from .client import Graph
from .object_info import OURS
from .transfer_graph import Link, Transfer, transfer_graph

TEXT_GUIDANCE, ADAIN_START = 2.5, 0.81  # of Eye-for-an-eye's reference code: AdaIN from executed step 49 of 68

FOUND: Mapping[str, Link] = {"structure": ["match", 1], "appearance": ["match", 2]}
"""The objects that the node `match` finds."""


def part_by_part(graph: Graph, masks: Mapping[str, Link]) -> Graph:
    """The graph of `transfer_graph` in which every position inside the structure's mask takes the features of its best
    match inside the appearance's. masks: by "structure" and "appearance". All else keeps its own look.
    """
    inside = {"mask": masks["structure"], "appearance_mask": masks["appearance"]}
    attention = {"model": graph["attention"]["inputs"]["model"], "structure": ["invert_structure", 0]}
    guider = {"positive": graph["guider"]["inputs"]["positive"], "negative": ["no_text", 0], "cfg": TEXT_GUIDANCE}
    changed = dict(graph)
    changed["weigh"] = appearance_inside(masks["structure"], masks["appearance"])
    changed["attention"] = {
        "class_type": OURS + "SemanticRearrangement",
        "inputs": {**attention, "appearances.appearance0": ["weigh", 0]},
    }
    changed["guider"] = {"class_type": "CFGGuider", "inputs": {"model": ["attention", 0], **guider}}
    late = {"start_percent": ADAIN_START, **inside}
    changed["adain"] = {**graph["adain"], "inputs": graph["adain"]["inputs"] | late}
    return changed


def demo_graph(transfer: Transfer) -> Graph:
    """The demo's transfer: part by part, by objects and matches that Match References finds and the panels show."""
    graph = transfer_graph(transfer)
    for role, mask in FOUND.items():
        del graph[f"mask_{role}"]
        graph[f"mask_{role}_image"]["inputs"]["mask"] = mask
    return with_matches(part_by_part(graph, FOUND))


def with_matches(graph: Graph) -> Graph:
    """The graph of `part_by_part` inside `FOUND`, with matches found before the transfer: `matches` shows what paints
    what.
    """
    inverted = {role: [f"invert_{role}", 0] for role in FOUND}
    inputs = {"model": graph["attention"]["inputs"]["model"], "method": TRANSPORT, **inverted}
    changed = dict(graph)
    changed["match"] = {"class_type": OURS + "MatchReferences", "inputs": inputs}
    inputs = {"values": ["appearance", 0], "matches": ["match", 0], "fallback": ["structure", 0]}
    changed["warp"] = {"class_type": OURS + "WarpByMatches", "inputs": inputs}
    changed["matches"] = {"class_type": "PreviewImage", "inputs": {"images": ["warp", 0]}}
    changed["weigh"] = appearance_inside(FOUND["structure"], FOUND["appearance"], ["match", 0])
    return changed


def appearance_inside(mask: Link, appearance_mask: Link, matches: Link | None = None) -> dict[str, Any]:
    """The appearance inside its mask paints the output inside its own."""
    inputs = {"reference": ["invert_appearance", 0], "mask": mask, "appearance_mask": appearance_mask}
    if matches is not None:
        inputs["matches"] = matches
    return {"class_type": OURS + "AppearanceOptions", "inputs": inputs}
