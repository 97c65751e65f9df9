"""Where the nodes of a workflow stand: in framed groups, from left to right in one row or in two, after a note that
says what it is.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from .object_info import inputs_of, is_widget, widgets_of
from .ui_graph import MUTED, NOTE, Workflow

WIDTH, GAP, TITLE = 330, 40, 30  # pixels, as everything here; TITLE stands above a node's position
SOCKET, IMAGE, LINE = 20, 250, 17
WIDGET, TEXT = 26, 70  # on the canvas; a text takes this beyond a widget
FIELD, STRING, AREA, ROW = 28, 36, 68, 26  # in Nodes 2.0; a row has the pack's name, or folds advanced inputs away
FRAME_TITLE = 50
NOTE_WIDTH, NOTE_LINE, NOTE_LETTERS = 400, 24, 46  # letters that stand on a line of the note
SCREEN = 1440, 900  # a window in which a graph should be readable when it opens
FRAME_COLOR, NOTE_COLOR = "#3f789e", "#432"
LINES = {  # of text that a node shows once it has run: what it costs, what it found
    "SamplerCustomAdvanced": 4,
    "AppearanceTransfer_CLIPAcc": 3,
    "AppearanceTransfer_CLIPImageSimilarity": 3,
    "AppearanceTransfer_CLIPTextSimilarity": 3,
    "AppearanceTransfer_ColorHistogramDistance": 3,
    "AppearanceTransfer_BackgroundLPIPS": 3,
    "AppearanceTransfer_DIFTFeatures": 3,
    "AppearanceTransfer_EditDirection": 3,
    "AppearanceTransfer_EditPairCollector": 3,
    "AppearanceTransfer_GramDistance": 3,
    "AppearanceTransfer_InversionReport": 7,
    "AppearanceTransfer_InvertImageDDIM": 3,
    "AppearanceTransfer_InvertImage": 3,
    "AppearanceTransfer_ReferenceImage": 2,
    "AppearanceTransfer_SampleFromInversion": 4,
    "AppearanceTransfer_MaskIoU": 3,
    "AppearanceTransfer_MirrorToMatch": 3,
    "AppearanceTransfer_NullTextInversion": 5,
    "AppearanceTransfer_PCK": 8,
    "AppearanceTransfer_ReconstructionQuality": 6,
    "AppearanceTransfer_SaveDistilledEditor": 2,
    "AppearanceTransfer_SaveEditDirection": 2,
    "AppearanceTransfer_SaveInversion": 2,
    "AppearanceTransfer_SaveSpliceGenerator": 2,
    "AppearanceTransfer_StructureDistance": 3,
    "AppearanceTransfer_TrainDistilledEditor": 4,
    "AppearanceTransfer_TrainSplice": 4,
}
SHOWS_AN_IMAGE = {  # at its end, or while it runs with live previews on
    "ImageCompare",
    "LoadImage",
    "PreviewAny",  # text takes as much
    "PreviewImage",
    "SamplerCustomAdvanced",
    "SaveImage",
    "AppearanceTransfer_InvertImageDDIM",
    "AppearanceTransfer_InvertImage",
    "AppearanceTransfer_SampleFromInversion",
    "AppearanceTransfer_SelfSegmentation",
    "AppearanceTransfer_ShowAttentionMatches",
    "AppearanceTransfer_InversionReport",
    "AppearanceTransfer_WordAttentionMap",
    "AppearanceTransfer_NullTextInversion",
    "AppearanceTransfer_DrawMatches",
    "AppearanceTransfer_MatchFeatures",
    "AppearanceTransfer_FindObject",
    "AppearanceTransfer_MirrorToMatch",
    "AppearanceTransfer_TrainSplice",
    "AppearanceTransfer_InvertViTFeature",
    "AppearanceTransfer_ShowKeySelfSimilarity",
    "AppearanceTransfer_MaskIoU",
    "AppearanceTransfer_ColorHistogramDistance",
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
    """Give every node of `workflow` its position, frame the groups, and put the note above them.

    names: the id in the graph of each node, in the order of the workflow's nodes.
    Raises ValueError where the groups do not hold every node once.
    """
    placed = [name for group in groups for column in group.columns for name in column]
    if sorted(placed) != sorted(names):
        raise ValueError(f"Not placed, or twice, or unknown: {sorted(set(placed) ^ set(names)) or sorted(placed)}.")
    nodes = dict(zip(names, workflow["nodes"], strict=True))
    board = _note(workflow["last_node_id"] + 1, note)
    sizes = [_position(group, nodes, (0, 0), info) for group in groups]
    in_first_row = _first_row(sizes, board["size"])
    second_row = GAP + max([board["size"][1], *(height for _, height in sizes[:in_first_row])])
    left = 0
    for number, (group, size) in enumerate(zip(groups, sizes, strict=True)):
        if number == in_first_row:
            left = board["pos"][0]
        top = 0 if number < in_first_row else second_row
        _position(group, nodes, (left, top), info)
        frame = {"id": number + 1, "title": group.title, "bounding": [left, top, *size], "color": FRAME_COLOR}
        workflow["groups"].append(frame | {"font_size": 24, "flags": {}})
        left += size[0] + GAP
    workflow["last_node_id"] += 1
    workflow["nodes"].append(board)


def _first_row(sizes: Sequence[tuple[int, int]], note: Sequence[int]) -> int:
    """How many of the groups of these sizes (width, height) stand beside the note, the others below them: as many as
    make the whole largest on a screen.
    """

    def scale(count: int) -> float:
        rows = [(note[0], note[1]), *sizes[:count]], list(sizes[count:])
        width = max(sum(size[0] + GAP for size in row) for row in rows)
        height = sum(GAP + max(size[1] for size in row) for row in rows if row)
        return min(SCREEN[0] / width, SCREEN[1] / height)

    return max(range(1, len(sizes) + 1), key=scale)


def _position(
    group: Group, nodes: Mapping[str, dict[str, Any]], corner: tuple[int, int], info: Mapping[str, Any]
) -> tuple[int, int]:
    """Put the nodes of a group in its columns; its width and height."""
    left, top = corner
    x, bottom = left + GAP // 2, top
    for column in group.columns:
        y = top + FRAME_TITLE + TITLE
        for name in column:
            node = nodes[name]
            node["pos"] = [x, y]
            node["size"] = [WIDTH, _height(node, info[node["type"]])]
            if group.muted:
                node["mode"] = MUTED
            y += node["size"][1] + TITLE + GAP // 2
        bottom = max(bottom, y - TITLE)
        x += WIDTH + GAP
    return x - GAP // 2 - left, bottom - top


def _height(node: Mapping[str, Any], about: Mapping[str, Any]) -> int:
    """Nearly what the page gives it, on the canvas or in Nodes 2.0: sockets, widgets, and what it will show."""
    sockets = SOCKET * max(len(node["inputs"]), len(node["outputs"]))
    lines = LINES.get(node["type"], 0)
    later = LINE * lines + 20 * (lines > 0) + IMAGE * (node["type"] in SHOWS_AN_IMAGE)
    return 20 + sockets + max(_widgets_on_canvas(about), _widgets_in_vue(about)) + later


def _widgets_on_canvas(about: Mapping[str, Any]) -> int:
    """The canvas folds none away."""
    texts = sum(bool(options.get("multiline")) for _, _, options, _ in inputs_of(about))
    return WIDGET * len(list(widgets_of(about))) + TEXT * texts


def _widgets_in_vue(about: Mapping[str, Any]) -> int:
    """Nodes 2.0 folds advanced widgets away, and shows which pack a node is of."""
    fields = [(kind, options) for _, kind, options, _ in inputs_of(about) if is_widget(kind, options)]
    visible = [
        AREA if options.get("multiline") else STRING if kind == "STRING" else FIELD
        for kind, options in fields
        if not options.get("advanced")
    ]
    rows = (len(visible) < len(fields)) + about["python_module"].startswith("custom_nodes")
    return sum(visible) + ROW * rows


def _note(number: int, text: str) -> dict[str, Any]:
    """The note, left of the first group, as high as its text."""
    lines = sum(1 + len(line) // NOTE_LETTERS for line in text.splitlines())
    return {
        "id": number,
        "type": NOTE,
        "pos": [-NOTE_WIDTH - GAP, TITLE],
        "size": [NOTE_WIDTH, NOTE_LINE * (lines + 3)],
        "flags": {},
        "order": number - 1,
        "mode": 0,
        "inputs": [],
        "outputs": [],
        "properties": {},
        "widgets_values": [text],
        "color": NOTE_COLOR,
    }
