"""The blueprints: the graph they were made from, and whole in the page's form."""

import pytest
from appearance_transfer.developer.gallery import blueprints
from appearance_transfer.developer.gallery.blueprint import INLET_ID, OUTLET_ID, Inlet
from appearance_transfer.developer.gallery.simple import ROLES
from appearance_transfer.developer.object_info import widgets_of
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.developer.ui_graph import NOTE
from appearance_transfer.tests.nodes.one_node import flat_graph

FOLDER = ROOT / "subgraphs"
NAMES = sorted(blueprints())


@pytest.fixture(params=NAMES)
def name(request) -> str:
    return request.param


@pytest.fixture
def inside(workflow) -> dict:
    (subgraph,) = workflow["definitions"]["subgraphs"]
    return subgraph


def test_every_file_is_a_blueprint() -> None:
    assert sorted(path.stem for path in FOLDER.glob("*.json")) == NAMES


def test_it_is_one_node(workflow, inside, name) -> None:
    """Otherwise the page refuses it."""
    (node,) = workflow["nodes"]
    assert (node["type"], node["title"], inside["name"]) == (inside["id"], name, name)
    assert node["id"] not in {about["id"] for about in inside["nodes"]}
    assert [socket["name"] for socket in node["inputs"]] == [slot["name"] for slot in inside["inputs"]]
    assert len(node["widgets_values"]) == sum("widget" in socket for socket in node["inputs"])


def test_what_is_queued_is_the_graph_it_was_made_from(name, workflow, info) -> None:
    blueprint = blueprints()[name]
    connected = {inlet.name: [inlet.name, 0] for inlet in blueprint.inlets}
    words = {str(number): node for number, node in enumerate(blueprint.graph, start=1)}
    for node in blueprint.graph.values():
        unsaid = {key: value for key, value in widgets_of(info[node["class_type"]]) if key}
        node["inputs"] = unsaid | node["inputs"]
    for inlet in blueprint.inlets:
        for node, target in inlet.targets:
            blueprint.graph[node]["inputs"].setdefault(target, [inlet.name, 0])
    read = {
        words[number]: {
            "class_type": node["class_type"],
            "inputs": {
                key: [words.get(value[0], value[0]), value[1]] if isinstance(value, list) else value
                for key, value in node["inputs"].items()
            },
        }
        for number, node in flat_graph(workflow, info, connected).items()
    }
    assert read == blueprint.graph


def test_a_parameter_reaches_every_input_it_stands_for(name, workflow, info) -> None:
    """Another value on the one node is another value inside, everywhere."""
    (node,) = workflow["nodes"]
    widgets = [socket["name"] for socket in node["inputs"] if "widget" in socket]
    node["widgets_values"] = [f"the {widget}" for widget in widgets]
    graph = list(flat_graph(workflow, info, {}).values())
    names = list(blueprints()[name].graph)
    for inlet in blueprints()[name].inlets:
        if inlet.name in widgets:
            assert {graph[names.index(to)]["inputs"][target] for to, target in inlet.targets} == {f"the {inlet.name}"}


def test_links_agree_on_both_ends(inside) -> None:
    nodes = {node["id"]: node for node in inside["nodes"]}
    for link in inside["links"]:
        number, kind = link["id"], link["type"]
        if link["origin_id"] == INLET_ID:
            origin, numbers = inside["inputs"][link["origin_slot"]], "linkIds"
        else:
            origin, numbers = nodes[link["origin_id"]]["outputs"][link["origin_slot"]], "links"
        assert number in origin[numbers]
        assert origin["type"] == kind
        if link["target_id"] == OUTLET_ID:
            assert inside["outputs"][link["target_slot"]]["linkIds"] == [number]
        else:
            target = nodes[link["target_id"]]["inputs"][link["target_slot"]]
            assert target["link"] == number
            assert kind in target["type"].split(",")
    assert inside["state"]["lastLinkId"] == max(link["id"] for link in inside["links"])
    assert inside["state"]["lastNodeId"] == max(nodes)


def test_what_a_user_reads(workflow, inside) -> None:
    (node,) = workflow["nodes"]
    labels = [socket["label"] for socket in node["inputs"]]
    assert len(set(labels)) == len(labels)
    assert inside["description"].endswith(".")
    assert inside["category"] == "appearance transfer"
    (note,) = [about for about in inside["nodes"] if about["type"] == NOTE]
    for text in (*labels, inside["description"], note["widgets_values"][0]):
        text.encode("cp1252")


def test_an_inlet_of_two_values_is_refused(info) -> None:
    blueprint = blueprints()[NAMES[0]]
    blueprint.graph["invert_structure"]["inputs"]["text"] = "a horse"
    with pytest.raises(ValueError, match=r"text goes to inputs of several values: \['a horse', ''\]"):
        blueprint.workflow("name", info)


def test_simple_has_two_images_and_a_strength_for_each() -> None:
    (inlets,) = [blueprint.inlets for blueprint in blueprints().values()]
    by_name: dict[str, Inlet] = {inlet.name: inlet for inlet in inlets}
    assert by_name.keys() == {
        "structure", "appearance", "model", "clip", "vae", "mask", "appearance_mask", "text", "structure_strength",
        "appearance_strength",
    }  # fmt: skip
    graph = blueprints()["Appearance and style transfer (simple)"].graph
    strengths = [graph[by_name[f"{role}_strength"].targets[0][0]]["inputs"]["value"] for role in ROLES]
    assert all(0 < strength <= 1 for strength in strengths)
