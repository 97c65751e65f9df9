"""The one node for people who do not want many, queued through the real server as the page would, with fewer steps."""

import json

import numpy as np
import pytest
from appearance_transfer.developer.client import Graph
from appearance_transfer.developer.demo import APPEARANCE_SEED, STRUCTURE_SEED
from appearance_transfer.developer.gallery.blueprint import OUTLET_ID
from appearance_transfer.developer.gallery.parts import node
from appearance_transfer.developer.gallery.simple import LOADED
from appearance_transfer.developer.object_info import OURS
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.tests.nodes.one_node import flat_graph
from appearance_transfer.tests.server.test_workflows import FEWER, images, is_an_image

SIMPLE = ROOT / "subgraphs" / "Appearance and style transfer (simple).json"
LEFT_OUT = 0.04  # of 100 steps, which are 14 here
SCENES = {"structure": STRUCTURE_SEED, "appearance": APPEARANCE_SEED}


def simple(info: dict, **parameters: float) -> Graph:
    """What is queued for the one node with scenes and the pocket checkpoint at its sockets, and some parameters
    changed.
    """
    workflow = json.loads(SIMPLE.read_text(encoding="utf-8"))
    (one,), (inside,) = workflow["nodes"], workflow["definitions"]["subgraphs"]
    widgets = [socket["name"] for socket in one["inputs"] if "widget" in socket]
    for parameter, value in parameters.items():
        one["widgets_values"][widgets.index(parameter)] = value
    links = {role: [role, 0] for role in SCENES} | {role: ["checkpoint", i] for i, role in enumerate(LOADED)}
    graph = flat_graph(workflow, info, links)
    graph["checkpoint"] = node(OURS + "LoadPocketCheckpoint")
    graph |= {role: node(OURS + "PocketScene", seed=seed) for role, seed in SCENES.items()}
    (end,) = [link for link in inside["links"] if link["target_id"] == OUTLET_ID]
    image = [str(end["origin_id"]), end["origin_slot"]]
    graph["save"] = {"class_type": "SaveImage", "inputs": {"images": image, "filename_prefix": "simple"}}
    for about in graph.values():
        fewer = FEWER.get(about["class_type"], {})
        about["inputs"] |= {name: value for name, value in fewer.items() if name != "start_at_step"}
    return graph


@pytest.fixture(scope="module")
def info(server) -> dict:
    return server.get("/object_info")


@pytest.fixture(scope="module")
def outputs(server, info) -> dict[float, np.ndarray]:
    """The image by the strength of the appearance."""
    return {
        strength: images(server, simple(info, structure_strength=LEFT_OUT, appearance_strength=strength))["save"]
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
