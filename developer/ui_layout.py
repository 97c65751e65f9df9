"""Where the nodes of a workflow stand: in framed groups from left to right, below a note that says what it is."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .ui_graph import MUTED, NOTE, Workflow, inputs_of, widgets_of

WIDTH, GAP, TITLE = 330, 40, 30  # pixels, as everything here; TITLE stands above a node's position
SOCKET, WIDGET, TEXT, COST, PICTURE = 20, 26, 70, 62, 250
FRAME_TITLE = 50
NOTE_SIZE = (760, 300)
FRAME_COLOUR, NOTE_COLOUR = "#3f789e", "#432"
SAYS_ITS_COST = {  # in a text that the page adds below everything else once the node runs
    "SamplerCustomAdvanced",
    "AppearanceTransfer_DIFTFeatures",
    "AppearanceTransfer_InversionReport",
    "AppearanceTransfer_InvertImageDDIM",
    "AppearanceTransfer_InvertImageDDPM",
    "AppearanceTransfer_MirrorToMatch",
    "AppearanceTransfer_NullTextInversion",
}
SHOWS_A_PICTURE = {
    "LoadImage",
    "PreviewAny",  # text takes as much
    "PreviewImage",
    "SaveImage",
    "AppearanceTransfer_SelfSegmentation",
    "AppearanceTransfer_ShowAttentionMatches",
    "AppearanceTransfer_InversionReport",
    "AppearanceTransfer_WordAttentionMap",
    "AppearanceTransfer_NullTextInversion",
    "AppearanceTransfer_DrawMatches",
    "AppearanceTransfer_MatchFeatures",
    "AppearanceTransfer_MirrorToMatch",
    "AppearanceTransfer_TrainSplice",
    "AppearanceTransfer_InvertViTFeature",
    "AppearanceTransfer_ShowKeySelfSimilarity",
    "AppearanceTransfer_MaskIoU",
    "AppearanceTransfer_ColourHistogramDistance",
    "AppearanceTransfer_ReconstructionQuality",
    "AppearanceTransfer_BackgroundLPIPS",
    "AppearanceTransfer_ComparisonGrid",
}


@dataclass(frozen=True)
class Group:
    """Nodes that belong together: columns from left to right, each the ids of its nodes from top to bottom."""

    title: str
    columns: Sequence[Sequence[str]]
    muted: bool = False


def lay_out(
    workflow: Workflow, names: Sequence[str], groups: Sequence[Group], note: str, info: Mapping[str, Any]
) -> None:
    """Give every node of `workflow` its place, frame the groups, and put the note above them.

    names: the id in the graph of each node, in the order of the workflow's nodes.
    Raises ValueError where the groups do not hold every node once.
    """
    placed = [name for group in groups for column in group.columns for name in column]
    if sorted(placed) != sorted(names):
        raise ValueError(f"Not placed, or twice, or unknown: {sorted(set(placed) ^ set(names)) or sorted(placed)}.")
    nodes = dict(zip(names, workflow["nodes"], strict=True))
    left = 0
    for number, group in enumerate(groups, start=1):
        right, bottom = _place(group, nodes, left, info)
        box = [left, 0, right - left, bottom]
        frame = {"id": number, "title": group.title, "bounding": box, "color": FRAME_COLOUR, "font_size": 24}
        workflow["groups"].append(frame | {"flags": {}})
        left = right + GAP
    workflow["last_node_id"] += 1
    workflow["nodes"].append(_note(workflow["last_node_id"], note))


def _place(group: Group, nodes: Mapping[str, dict[str, Any]], left: int, info: Mapping[str, Any]) -> tuple[int, int]:
    """Put the nodes of a group in its columns; its right and bottom edge."""
    x, bottom = left + GAP // 2, 0
    for column in group.columns:
        y = FRAME_TITLE + TITLE
        for name in column:
            node = nodes[name]
            node["pos"] = [x, y]
            node["size"] = [WIDTH, _height(node, info[node["type"]])]
            if group.muted:
                node["mode"] = MUTED
            y += node["size"][1] + TITLE + GAP // 2
        bottom = max(bottom, y - TITLE)
        x += WIDTH + GAP
    return x - GAP // 2, bottom


def _height(node: Mapping[str, Any], about: Mapping[str, Any]) -> int:
    """Nearly what the page gives it: sockets, all widgets, since the canvas folds none away, and what it will show."""
    texts = sum(bool(options.get("multiline")) for _, _, options, _ in inputs_of(about))
    sockets = max(len(node["inputs"]), len(node["outputs"]))
    later = COST * (node["type"] in SAYS_ITS_COST) + PICTURE * (node["type"] in SHOWS_A_PICTURE)
    return 20 + SOCKET * sockets + WIDGET * len(list(widgets_of(about))) + TEXT * texts + later


def _note(number: int, text: str) -> dict[str, Any]:
    return {
        "id": number,
        "type": NOTE,
        "pos": [0, -NOTE_SIZE[1] - GAP],
        "size": list(NOTE_SIZE),
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [text],
        "color": NOTE_COLOUR,
    }
