"""Images of help pages: what is run for one, and that every panel is a node of its workflow."""

import json

import pytest
from appearance_transfer.benchmarks.help_images import IMAGES
from appearance_transfer.benchmarks.thumbnails import upstream
from appearance_transfer.developer.gallery import gallery
from appearance_transfer.developer.paths import ROOT

GRAPH = {
    "load": {"class_type": "Load", "inputs": {"name": "a"}},
    "left": {"class_type": "Change", "inputs": {"image": ["load", 0], "amount": 1}},
    "right": {"class_type": "Change", "inputs": {"image": ["load", 0], "amount": 2}},
    "save": {"class_type": "Save", "inputs": {"image": ["right", 0]}},
}


def test_only_what_a_panel_depends_on_is_run() -> None:
    assert list(upstream(GRAPH, [("left", 0)])) == ["load", "left"]
    assert list(upstream(GRAPH, [("right", 0), ("left", 0)])) == ["load", "left", "right"]


@pytest.mark.parametrize("name", sorted(IMAGES))
def test_panels_are_nodes_and_settings_are_inputs(name) -> None:
    workflows = gallery()
    nodes = json.loads((ROOT / "locales" / "en" / "nodeDefs.json").read_text(encoding="utf-8"))
    for panel in IMAGES[name]:
        graph = workflows[panel.workflow].graph
        assert panel.node in graph
        for node, settings in panel.settings.items():
            assert settings.keys() <= nodes[graph[node]["class_type"]]["inputs"].keys()
