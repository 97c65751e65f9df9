"""The one node for people who do not want many: found by its name, with its parameters, and queued as its file says."""

import json

from appearance_transfer.developer.paths import ROOT
from appearance_transfer.tests.nodes.one_node import flat_graph
from appearance_transfer.tests.page.node_search import search_for

NAME = "Appearance and style transfer (simple)"
PARAMETERS = "() => Object.fromEntries(app.graph.nodes[0].widgets.map(({ label, value }) => [label, value]))"
QUEUED = "async () => (await app.graphToPrompt()).output"


def test_it_is_found_by_its_name_and_queues_what_is_inside(user) -> None:
    workflow = json.loads((ROOT / "subgraphs" / f"{NAME}.json").read_text(encoding="utf-8"))
    info = user.page.request.get(f"{user.address}/object_info").json()
    search = search_for(user, NAME)
    search.get_by_test_id("result-item").filter(has_text=NAME).first.click()  # Enter takes what is marked by then
    user.page.wait_for_function("() => app.graph.nodes.length === 1")
    assert user.page.evaluate("() => app.graph.nodes[0].title") == NAME

    (node,) = workflow["nodes"]
    labels = [socket["label"] for socket in node["inputs"] if "widget" in socket]
    assert user.page.evaluate(PARAMETERS) == dict(zip(labels, node["widgets_values"], strict=True))

    expected = flat_graph(workflow, info, {})
    queued = user.page.evaluate(QUEUED)
    names = dict(zip(queued, expected, strict=True))  # the page numbers the nodes of every graph anew
    for number, about in queued.items():
        inputs = {
            name: [names[value[0]], value[1]] if isinstance(value, list) else value
            for name, value in about["inputs"].items()
        }
        expected_node = expected[names[number]]
        assert (about["class_type"], inputs) == (expected_node["class_type"], expected_node["inputs"])
