"""The workflows that come with the pack: current, complete, and the same graph in both forms."""

import json
import re
from pathlib import Path

import pytest
from appearance_transfer.developer.gallery import file_name, gallery
from appearance_transfer.developer.generated import generated
from appearance_transfer.developer.object_info import inputs_of, widgets_of
from appearance_transfer.developer.ui_graph import NOTE, api_graph
from appearance_transfer.developer.ui_layout import SCREEN
from appearance_transfer.tests.nodes.test_schemas import IDS

FOLDER = Path(__file__).resolve().parents[2] / "workflows"
NAMES = sorted(gallery())
FILES = (
    "ckpt_name",
    "clip_name",
    "clip_name1",
    "clip_name2",
    "image",
    "name",
    "unet_name",
    "vae_name",
)  # widgets whose choices hang on a user's machine
MODEL_FILES = (".safetensors", ".ckpt", ".pt", ".pth", ".bin", ".sft", ".onnx", ".gguf")  # as the page knows them
FILLED, MARGIN = 0.75, 10  # of its window the page fills so much with a template, and leaves so many pixels around it
FIRST_ZOOM, OTHERS_ZOOM = 0.45, 0.3
GRIDS, MOST_NODES = {"19_transfer_grid"}, 20
LOADS_OUR_FILES = {
    f"AppearanceTransfer_Load{kind}" for kind in ("DistilledEditor", "EditDirection", "Inversion", "SpliceGenerator")
}


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def workflow(name) -> dict:
    return json.loads((FOLDER / f"{file_name(name)}.json").read_text(encoding="utf-8"))


def test_every_file_is_in_the_gallery() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == sorted(map(file_name, NAMES))


def test_files_are_as_generated(info) -> None:
    """Otherwise: `python dev.py generate`."""
    stale = [path.name for path, text in generated(info).items() if path.read_text(encoding="utf-8") != text]
    assert not stale


def test_every_node_is_used_by_a_workflow() -> None:
    used = {node["class_type"] for template in gallery().values() for node in template.graph.values()}
    assert used >= IDS


def test_it_is_the_graph_that_is_tested(name, workflow, info) -> None:
    """Read back as the page would, muted nodes as well, it is the graph it was made from."""
    graph = gallery()[name].graph
    words = {str(number): node for number, node in enumerate(graph, start=1)}

    def named(value):
        return [words[value[0]], value[1]] if isinstance(value, list) else value

    read = {
        words[number]: {
            "class_type": node["class_type"],
            "inputs": {key: named(value) for key, value in node["inputs"].items()},
        }
        for number, node in api_graph(workflow, info, with_muted=True).items()
    }
    defaults = {kind: dict(widgets_of(info[kind])) for kind in {node["class_type"] for node in graph.values()}}
    for node in graph.values():
        unsaid = {key: value for key, value in defaults[node["class_type"]].items() if key}
        node["inputs"] = unsaid | node["inputs"]
    assert read == graph


def test_widgets_hold_values_of_their_kind(workflow, info) -> None:
    """Positional values: one too many or too few shifts all that follow."""
    for node in workflow["nodes"]:
        if node["type"] == NOTE:
            continue
        about = info[node["type"]]
        kinds = {name: (kind, options) for name, kind, options, _ in inputs_of(about)}
        for (widget, _), value in zip(widgets_of(about), node["widgets_values"], strict=True):
            if widget is None:
                continue
            kind, options = kinds[widget]
            where = f"{node['type']}.{widget}"
            if kind in ("INT", "FLOAT"):
                assert options["min"] <= value <= options["max"], where
                assert kind == "FLOAT" or isinstance(value, int), where
            if kind == "BOOLEAN":
                assert isinstance(value, bool), where
            if kind == "COMBO" and widget not in FILES:
                assert value in options["options"], where


def test_expert_inputs_stand_at_their_defaults(workflow, info) -> None:
    """What is folded away is what the node brings along, or what the note says, so that an example hides no trick."""
    notes = " ".join(node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == NOTE)
    for node in workflow["nodes"]:
        if not node["type"].startswith("AppearanceTransfer_"):
            continue
        about = info[node["type"]]
        advanced = {name: options for name, _, options, _ in inputs_of(about) if options.get("advanced")}
        for (widget, default), value in zip(widgets_of(about), node["widgets_values"], strict=True):
            assert widget not in advanced or value == default or f"*{widget}*" in notes, f"{node['type']}.{widget}"


def test_links_agree_on_both_ends(workflow) -> None:
    nodes = {node["id"]: node for node in workflow["nodes"]}
    for link, origin, output, target, slot, kind in workflow["links"]:
        assert nodes[target]["inputs"][slot]["link"] == link
        assert link in nodes[origin]["outputs"][output]["links"]
        assert nodes[origin]["outputs"][output]["type"] == kind
        taken = nodes[target]["inputs"][slot]["type"].split(",")
        assert kind in taken or taken == ["*"]
    assert len(workflow["links"]) == sum(len(out["links"]) for node in nodes.values() for out in node["outputs"])


def test_nothing_overlaps_and_everything_is_framed(workflow) -> None:
    def box(node):
        (x, y), (width, height) = node["pos"], node["size"]
        return x, y - 30, x + width, y + height  # with its title

    def apart(one, other):
        return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]

    boxes = [box(node) for node in workflow["nodes"]]
    assert all(apart(one, other) for i, one in enumerate(boxes) for other in boxes[:i])
    frames = [
        (x, y, x + width, y + height) for x, y, width, height in (group["bounding"] for group in workflow["groups"])
    ]
    assert all(apart(one, other) for i, one in enumerate(frames) for other in frames[:i])
    for node, (left, top, right, bottom) in zip(workflow["nodes"], boxes, strict=True):
        framed = [f for f in frames if f[0] <= left and f[1] <= top and right <= f[2] and bottom <= f[3]]
        assert len(framed) == (node["type"] != NOTE), node["type"]


def test_links_lead_from_left_to_right(workflow) -> None:
    """From the upper row of groups to the lower one, and downwards in a column: one reads the graph as one reads."""
    position = {node["id"]: (row_of(node, workflow), *node["pos"]) for node in workflow["nodes"]}
    assert all(position[origin] < position[target] for _, origin, _, target, *_ in workflow["links"])


def row_of(node, workflow) -> int:
    """In which row of groups a node stands, the upper one being 0."""
    tops = sorted({group["bounding"][1] for group in workflow["groups"]})
    return sum(top <= node["pos"][1] for top in tops) - 1


def test_groups_stand_in_two_rows_at_most(workflow) -> None:
    assert len({group["bounding"][1] for group in workflow["groups"]}) <= 2


def test_it_is_readable_when_opened(name, workflow) -> None:
    left, top, right, bottom = bounds(workflow)
    zoom = FILLED * min(SCREEN[0] / (right - left), SCREEN[1] / (bottom - top))
    assert zoom >= (FIRST_ZOOM if name < "07" else OTHERS_ZOOM)


def test_a_template_is_not_crowded(name, workflow) -> None:
    if name not in GRIDS:
        assert len(workflow["nodes"]) - 1 <= MOST_NODES


def bounds(workflow) -> tuple[float, float, float, float]:
    """What the page fits into its window: left, top, right and bottom of all nodes."""
    boxes = [(*node["pos"], *node["size"]) for node in workflow["nodes"]]
    lefts, tops = [x for x, *_ in boxes], [y - 30 for _, y, *_ in boxes]
    rights, bottoms = [x + width for x, _, width, _ in boxes], [y + height for _, y, _, height in boxes]
    return min(lefts) - MARGIN, min(tops) - MARGIN, max(rights) + MARGIN, max(bottoms) + MARGIN


def test_only_nodes_that_stand_twice_have_titles(workflow, info) -> None:
    """So that a user finds each in the search and in its help: a title begins with the name and says which one it
    is.
    """
    for node in workflow["nodes"]:
        if "title" in node:
            assert node["title"].startswith(info[node["type"]]["display_name"] + ": ")


def test_the_page_is_told_where_models_are(workflow) -> None:
    """The form that its dialog of missing models reads. What other nodes of ours have saved is no model of theirs."""
    for node in workflow["nodes"]:
        expected = {value for value in node["widgets_values"] if str(value).endswith(MODEL_FILES)}
        if node["type"] in LOADS_OUR_FILES or not expected:
            continue
        models = node["properties"]["models"]
        assert {model["name"] for model in models} == expected
        assert all(model["url"].startswith("https://") for model in models)
        assert all(re.fullmatch(r"[a-z_]+", model["directory"]) for model in models)


def test_notes_say_which_file_goes_where(workflow) -> None:
    (text,) = [node["widgets_values"][0] for node in workflow["nodes"] if node["type"] == NOTE]
    for node in workflow["nodes"]:
        for model in node["properties"].get("models", ()):
            assert f"[{model['name']}]({model['url']})" in text
            assert f"`ComfyUI/models/{model['directory']}`" in text


def test_it_begins_with_a_note(workflow) -> None:
    (note,) = [node for node in workflow["nodes"] if node["type"] == NOTE]
    assert note["widgets_values"][0].startswith("# ")
    assert workflow["version"] == 0.4
    note["widgets_values"][0].encode("cp1252")


def test_the_first_one_needs_nothing_but_the_pack(info) -> None:
    types = {node["class_type"] for node in gallery()[NAMES[0]].graph.values()}
    assert not types & {"CheckpointLoaderSimple", "LoadImage"}
    assert "AppearanceTransfer_LoadPocketCheckpoint" in types


def test_a_graph_says_only_what_differs_from_the_defaults(name, info) -> None:
    """What a node is set to by default stands in its schema alone; steps and sizes belong to the transfer."""
    said = [
        f"{node['class_type']}.{key}"
        for node in gallery()[name].graph.values()
        if node["class_type"] in IDS
        for key, default in widgets_of(info[node["class_type"]])
        if key
        and key not in ("steps", "start_at_step", "size")
        and isinstance(default, int | float)
        and node["inputs"].get(key) == default
    ]
    assert not said
