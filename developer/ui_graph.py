"""Between the two forms of a graph: what a program queues (API format) and what a user opens (UI format, 0.4).

The server cannot turn one into the other, only the page can. The rules here are the page's (frontend 1.47): which
inputs are widgets, in which order their values are kept, and which widgets bring a second one along. `info` is the
host's /object_info throughout.
"""

import uuid
from collections.abc import Iterator, Mapping
from typing import Any

from .client import Graph
from .object_info import AUTOGROW, MATCHING, UNSAVED, inputs_of, is_widget, unsaved_of, widgets_of

Workflow = dict[str, Any]
VERSION = 0.4
NOTE = "MarkdownNote"
ALWAYS, MUTED = 0, 2  # the page's modes of a node
OPTIONAL = {"shape": 7}  # drawn as a hollow dot


def ui_graph(name: str, graph: Graph, info: Mapping[str, Any]) -> Workflow:
    """The workflow of a graph, every node still at (0, 0). Node k of the graph, counted from 1, has the id k."""
    nodes = loose_nodes(graph, info)
    links = connect(nodes, {name: (node["id"], node["outputs"]) for name, node in zip(graph, nodes, strict=True)})
    return {
        "id": str(uuid.uuid5(uuid.NAMESPACE_URL, f"appearance-transfer/{name}")),
        "revision": 0,
        "last_node_id": len(nodes),
        "last_link_id": len(links),
        "nodes": nodes,
        "links": links,
        "groups": [],
        "config": {},
        "extra": {},
        "version": VERSION,
    }


def loose_nodes(graph: Graph, info: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The nodes of a graph; each link is still a pair (name of the origin, output), known at its target only."""
    return [_node(number, about, info[about["class_type"]]) for number, about in enumerate(graph.values(), start=1)]


def connect(nodes: list[dict[str, Any]], origins: Mapping[str, tuple[int, list[dict[str, Any]]]]) -> list[list[Any]]:
    """Number the links of loose nodes, at both ends. origins: id and outputs of all that a link may come from, by name.

    Returns the links as the page keeps them: number, origin, its output, target, its input, type.
    """
    links: list[list[Any]] = []
    for node in nodes:
        _settle(node, origins)
    for node in nodes:
        for slot, socket in enumerate(node["inputs"]):
            if socket["link"] is None:
                continue
            name, output = socket["link"]
            origin, outputs = origins[name]
            source = outputs[output]
            socket["link"] = len(links) + 1
            source["links"].append(socket["link"])
            links.append([socket["link"], origin, output, node["id"], slot, source["type"]])
    return links


def api_graph(workflow: Mapping[str, Any], info: Mapping[str, Any], with_muted: bool = False) -> Graph:
    """What the page queues for a workflow; node ids are its numbers as text.

    Raises ValueError where a node keeps more or fewer values than it has widgets.
    """
    origins = {link[0]: [str(link[1]), link[2]] for link in workflow["links"]}
    graph: Graph = {}
    for node in workflow["nodes"]:
        if node["type"] == NOTE or (node["mode"] == MUTED and not with_muted):
            continue
        widgets, values = list(widgets_of(info[node["type"]])), node["widgets_values"]
        if len(values) != len(widgets):
            raise ValueError(f"{node['type']} has {len(widgets)} widgets, and the workflow keeps {len(values)} values.")
        inputs = {name: value for (name, _), value in zip(widgets, values, strict=True) if name}
        inputs |= {socket["name"]: origins[socket["link"]] for socket in node["inputs"] if socket["link"]}
        inputs |= unsaved_of(info[node["type"]])
        graph[str(node["id"])] = {"class_type": node["type"], "inputs": inputs}
    return graph


def _node(number: int, node: Mapping[str, Any], about: Mapping[str, Any]) -> dict[str, Any]:
    inputs = node["inputs"]
    known = {name for name, *_ in inputs_of(about)}
    if unknown := {name.split(".")[0] for name in inputs} - known:
        raise ValueError(f"{node['class_type']} has no input {', '.join(sorted(unknown))}.")
    constants = {name: value for name, value in inputs.items() if not isinstance(value, list)}
    outputs = zip(about["output_name"], about["output"], strict=True)
    return {
        "id": number,
        "type": node["class_type"],
        "pos": [0, 0],
        "size": [0, 0],
        "flags": {},
        "order": number - 1,
        "mode": ALWAYS,
        "inputs": list(_sockets(about, inputs)),
        "outputs": [{"name": name, "type": kind, "links": []} for name, kind in outputs],
        "properties": {"Node name for S&R": node["class_type"]},
        "widgets_values": [constants.get(name, default) if name else default for name, default in widgets_of(about)],
    }


def _settle(node: dict[str, Any], origins: Mapping[str, tuple[int, list[dict[str, Any]]]]) -> None:
    """Give the outputs that have their type from an input of several types the one that is connected there."""
    matching = [output for output in node["outputs"] if output["type"] == MATCHING]
    for socket in node["inputs"]:
        if matching and socket["link"] is not None and "," in socket["type"]:
            name, index = socket["link"]
            for output in matching:
                output["type"] = origins[name][1][index]["type"]


def _sockets(about: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """The inputs with a dot to connect: all but the widgets, and the widgets that are connected."""
    for name, kind, options, optional in inputs_of(about):
        link = inputs[name] if isinstance(inputs.get(name), list) else None
        shape = OPTIONAL if optional else {}
        if kind == AUTOGROW:
            yield from _grown(name, options["template"], inputs)
        elif not is_widget(kind, options) and kind not in UNSAVED:
            types = options["template"]["allowed_types"] if kind == MATCHING else kind
            yield {"name": name, "type": types, "link": link, **shape}
        elif link:
            yield {"name": name, "type": kind, "widget": {"name": name}, "link": link, **shape}


def _grown(name: str, template: Mapping[str, Any], inputs: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """A growing input: what is connected, and one more."""
    ((_, (kind, *_)),) = template["input"]["required"].items()
    connected = sum(key.startswith(f"{name}.") for key in inputs)
    names = template.get("names") or [f"{template['prefix']}{index}" for index in range(template["max"])]
    for index, label in enumerate(names[: max(connected, template["min"]) + 1]):
        shape = OPTIONAL if index >= template["min"] else {}
        yield {"name": f"{name}.{label}", "label": label, "type": kind, "link": inputs.get(f"{name}.{label}"), **shape}
