"""A blueprint: a whole graph as one node with the few parameters that a user needs, offered in the page's node library.

Its file is a workflow of one node, whose type is the id of the subgraph that holds the rest; ComfyUI lists the files
in `subgraphs/`, and each is called by its file name. The rules are the page's (frontend 1.47): inside, links start at
an inlet (id -10) and end at an outlet (id -20); an inlet that leads to a widget is a widget of the one node, which then
holds the value.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from ..client import Graph
from ..object_info import inputs_of, with_defaults
from ..ui_graph import ALWAYS, VERSION, Workflow, connect, loose_nodes
from ..ui_layout import GAP, SOCKET, TEXT, TITLE, WIDGET, WIDTH, Group, lay_out
from .workflow_template import name_models

INLETS = "inlets"  # in a link, the name of where the inlets are
INLET_ID, OUTLET_ID = -10, -20
CATEGORY = "appearance transfer"
SLOTS_WIDTH = 160


@dataclass(frozen=True)
class Inlet:
    """An input of the one node: what a user reads on it, and the inputs (node, input) inside that it goes to.

    Where the graph has a value there, it is a widget that starts with this value, the same for all of them; where it
    has none, a socket.
    """

    name: str
    label: str
    targets: Sequence[tuple[str, str]]


@dataclass(frozen=True)
class Blueprint:
    """What the one node holds. outlet: name, node inside and its output."""

    graph: Graph
    inlets: Sequence[Inlet]
    outlet: tuple[str, str, int]
    groups: Sequence[Group]
    note: str
    description: str

    def workflow(self, name: str, info: Mapping[str, Any]) -> Workflow:
        """The file's content. info: ComfyUI's /object_info. Raises ValueError where an inlet has several values."""
        complete = replace(self, graph=with_defaults(self.graph, info))
        values = [complete._value(inlet) for inlet in self.inlets]
        inside = complete._inside(name, info)
        return {
            "revision": 0,
            "last_node_id": inside["state"]["lastNodeId"] + 1,
            "last_link_id": 0,
            "nodes": [_outside(name, inside, values)],
            "links": [],
            "version": VERSION,
            "definitions": {"subgraphs": [inside]},
            "extra": {},
        }

    def _value(self, inlet: Inlet) -> Any:
        """What the graph has where an inlet leads to; None for a socket."""
        first, *others = [self.graph[node]["inputs"].get(target) for node, target in inlet.targets]
        if any(other != first for other in others):
            raise ValueError(f"{inlet.name} goes to inputs of several values: {[first, *others]}.")
        return first

    def _inside(self, name: str, info: Mapping[str, Any]) -> dict[str, Any]:
        """The subgraph."""
        nodes, links, inlets, outlet = self._connected(name, info)
        sheet: Workflow = {"nodes": nodes, "groups": [], "last_node_id": len(nodes)}
        lay_out(sheet, list(self.graph), self.groups, self.note, info)
        right = max(x + width for x, _, width, _ in (group["bounding"] for group in sheet["groups"]))
        last = {"lastGroupId": len(sheet["groups"]), "lastNodeId": sheet["last_node_id"], "lastLinkId": len(links)}
        ends = ("id", "origin_id", "origin_slot", "target_id", "target_slot", "type")
        return {
            "id": _id(name, "inside"),
            "version": 1,
            "state": last | {"lastRerouteId": 0},
            "revision": 0,
            "config": {},
            "name": name,
            "inputNode": {"id": INLET_ID, "bounding": _box(-SLOTS_WIDTH - GAP, len(inlets))},
            "outputNode": {"id": OUTLET_ID, "bounding": _box(right + GAP, 1)},
            "inputs": _slots_at(-GAP, inlets),
            "outputs": _slots_at(right + GAP, [outlet]),
            "widgets": [],
            "nodes": nodes,
            "groups": sheet["groups"],
            "links": [dict(zip(ends, link, strict=True)) for link in links],
            "extra": {},
            "category": CATEGORY,
            "description": self.description,
        }

    def _connected(self, name: str, info: Mapping[str, Any]) -> tuple[list[Any], list[Any], list[Any], dict[str, Any]]:
        """Nodes, links, inlets and outlet."""
        nodes, inlets = loose_nodes(self._fed(), info), self._inlets(name, info)
        for node, plain in zip(nodes, loose_nodes(self.graph, info), strict=True):
            node["widgets_values"] = plain["widgets_values"]
        by_name = dict(zip(self.graph, nodes, strict=True))
        origins = {origin: (node["id"], node["outputs"]) for origin, node in by_name.items()}
        links = connect(nodes, origins | {INLETS: (INLET_ID, inlets)})
        label, last, output = self.outlet
        socket = by_name[last]["outputs"][output]
        links.append([len(links) + 1, by_name[last]["id"], output, OUTLET_ID, 0, socket["type"]])
        socket["links"].append(len(links))
        outlet = {"id": _id(name, f"outlet {label}"), "name": label, "type": socket["type"], "links": [len(links)]}
        name_models(nodes)
        return nodes, links, inlets, outlet

    def _fed(self) -> Graph:
        """The graph with links from the inlets in the place of values."""
        graph = {name: about | {"inputs": dict(about["inputs"])} for name, about in self.graph.items()}
        for index, inlet in enumerate(self.inlets):
            for node, target in inlet.targets:
                graph[node]["inputs"][target] = [INLETS, index]
        return graph

    def _inlets(self, name: str, info: Mapping[str, Any]) -> list[dict[str, Any]]:
        """The inlets as what links come from."""
        slots = []
        for inlet in self.inlets:
            node, target = inlet.targets[0]
            kinds = {known: kind for known, kind, *_ in inputs_of(info[self.graph[node]["class_type"]])}
            slot = {"id": _id(name, f"inlet {inlet.name}"), "name": inlet.name, "label": inlet.label}
            slots.append(slot | {"type": kinds[target], "links": []})
        return slots


def _outside(name: str, inside: Mapping[str, Any], values: Sequence[Any]) -> dict[str, Any]:
    """The one node. values: of its widgets; None for a socket."""
    sockets = [
        {key: slot[key] for key in ("name", "label", "type")}
        | ({} if value is None else {"widget": {"name": slot["name"]}})
        | {"link": None}
        for slot, value in zip(inside["inputs"], values, strict=True)
    ]
    held = [value for value in values if value is not None]
    height = TITLE + SOCKET * (len(values) - len(held)) + WIDGET * len(held) + TEXT
    return {
        "id": inside["state"]["lastNodeId"] + 1,  # one of its own: ids are those of the whole workflow
        "type": inside["id"],
        "pos": [0, 0],
        "size": [WIDTH, height],
        "flags": {},
        "order": 0,
        "mode": ALWAYS,
        "inputs": sockets,
        "outputs": [{"name": slot["name"], "type": slot["type"], "links": []} for slot in inside["outputs"]],
        "properties": {},
        "widgets_values": held,
        "title": name,
    }


def _slots_at(x: int, slots: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Slots as a subgraph keeps them, below one another."""
    return [
        {key: slot[key] for key in slot if key != "links"}
        | {"linkIds": slot["links"], "pos": [x, TITLE + SOCKET * row]}
        for row, slot in enumerate(slots)
    ]


def _box(x: int, slots: int) -> list[int]:
    return [x, 0, SLOTS_WIDTH, TITLE + SOCKET * (slots + 1)]


def _id(name: str, part: str) -> str:
    return str(uuid.uuid5(uuid.NAMESPACE_URL, f"appearance-transfer/subgraphs/{name}/{part}"))
