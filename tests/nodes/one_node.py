"""What the page queues for a blueprint."""

from collections.abc import Mapping
from typing import Any

from appearance_transfer.developer.client import Graph
from appearance_transfer.developer.gallery.blueprint import INLET_ID
from appearance_transfer.developer.transfer_graph import Link
from appearance_transfer.developer.ui_graph import Workflow, api_graph


def flat_graph(workflow: Workflow, info: Mapping[str, Any], connected: Mapping[str, Link]) -> Graph:
    """The nodes inside, with the values that the one node holds.

    connected: what feeds its sockets, by the name of the socket; the others stay open.
    """
    (outside,), (inside,) = workflow["nodes"], workflow["definitions"]["subgraphs"]
    values = iter(outside["widgets_values"])
    fed = [next(values) if "widget" in socket else connected.get(socket["name"]) for socket in outside["inputs"]]
    links = [list(link.values()) for link in inside["links"]]
    graph = api_graph({"nodes": inside["nodes"], "links": links}, info)
    for about in graph.values():
        for name, value in list(about["inputs"].items()):
            if isinstance(value, list) and value[0] == str(INLET_ID):
                about["inputs"][name] = fed[value[1]]
                if fed[value[1]] is None:
                    del about["inputs"][name]
    return graph
