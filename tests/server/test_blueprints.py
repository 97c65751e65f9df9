"""The one node for people who do not want many, queued through the real server as the page would, with fewer steps."""

import json

import numpy as np
import pytest
from appearance_transfer.developer.client import Graph
from appearance_transfer.developer.gallery.blueprint import OUTLET_ID
from appearance_transfer.developer.gallery.stand_in import on_the_pocket
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.tests.nodes.one_node import flat_graph
from appearance_transfer.tests.server.test_workflows import FEWER, images, is_an_image

SIMPLE = ROOT / "subgraphs" / "Appearance transfer (simple).json"
START_AT = FEWER["AppearanceTransfer_InvertImage"]["start_at_step"]


def simple(info: dict, **parameters: float) -> Graph:
    """What is queued for the one node with an image at each socket and some parameters turned, on the pocket
    checkpoint.
    """
    workflow = json.loads(SIMPLE.read_text(encoding="utf-8"))
    (node,), (inside,) = workflow["nodes"], workflow["definitions"]["subgraphs"]
    widgets = [socket["name"] for socket in node["inputs"] if "widget" in socket]
    for parameter, value in parameters.items():
        node["widgets_values"][widgets.index(parameter)] = value
    loaded = {
        role: {"class_type": "LoadImage", "inputs": {"image": f"{role}.png"}} for role in ("structure", "appearance")
    }
    graph = flat_graph(workflow, info, loaded)
    (end,) = [link for link in inside["links"] if link["target_id"] == OUTLET_ID]
    image = [str(end["origin_id"]), end["origin_slot"]]
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": image, "filename_prefix": "simple"}}
    for about in graph.values():
        fewer = FEWER.get(about["class_type"], {})
        about["inputs"] |= {name: value for name, value in fewer.items() if name != "start_at_step"}
    return on_the_pocket(graph)


@pytest.fixture(scope="module")
def info(server) -> dict:
    return server.get("/object_info")


@pytest.fixture(scope="module")
def outputs(server, info) -> dict[float, np.ndarray]:
    """The image by the strength of the appearance."""
    return {
        strength: images(server, simple(info, structure_strength=START_AT, appearance_strength=strength))["save"]
        for strength in (0.0, 1.0)
    }


def test_it_finishes_with_an_image(outputs) -> None:
    assert outputs[1.0].shape == (128, 128, 3)
    assert is_an_image(outputs[1.0])


def test_without_appearance_the_structure_comes_back(server, info, outputs) -> None:
    """And with it, another image does."""
    graph = simple(info)
    (source,) = [a["inputs"]["image"][0] for a in graph.values() if a["class_type"].endswith("_InvertImage")]
    scene = {
        "scene": graph[source],
        "save": {**graph["save"], "inputs": {"images": ["scene", 0], "filename_prefix": "x"}},
    }
    structure = images(server, scene)["save"].astype(float)
    without, with_it = (np.abs(outputs[strength] - structure).mean() for strength in (0.0, 1.0))
    assert without < 8  # of 255; fourteen steps and the autoencoder
    assert with_it > 2 * without
