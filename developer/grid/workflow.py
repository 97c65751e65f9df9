"""The workflow that is run over the pairs: a file of the user's, or cross-image attention as in the paper."""

import argparse
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path, PurePosixPath
from typing import Any

from ..cli_output import CliError
from ..client import Graph
from ..demo import CHECKPOINT_SIZE, OWN_NOUN
from ..transfer_graph import SMALL_SIZE, GraphImage, Transfer, transfer_graph
from ..ui_graph import api_graph
from .pairs import GridPair
from .worker import Job

ROLES = ("structure", "appearance")
SAVE = "save"  # of transfer_graph


def asked_for(options: argparse.Namespace) -> dict[str, Any]:
    """The workflow as it stands, in either of ComfyUI's two forms. Raises `CliError` where there is none."""
    if not options.workflow:
        return own_graph(options.noun or OWN_NOUN, Path(options.checkpoint).name if options.checkpoint else None)
    try:
        workflow = dict(json.loads(Path(options.workflow).read_text(encoding="utf-8")))
        nodes = workflow["nodes"] if "nodes" in workflow else workflow.values()
        if not nodes or not all("class_type" in node or "type" in node for node in nodes):
            raise ValueError("no nodes")
        return workflow
    except OSError:
        raise CliError(f"There is no workflow {options.workflow}.") from None
    except (ValueError, TypeError):
        raise CliError(f"{options.workflow} is no workflow of ComfyUI: save one with File > Export.") from None


def own_graph(noun: str, checkpoint: str | None) -> Graph:
    """The main job on images of the same kind of thing, without what only shows how it was done."""
    structure, appearance = (GraphImage(noun, file=f"{role}.png") for role in ROLES)
    size = CHECKPOINT_SIZE if checkpoint else SMALL_SIZE
    graph = transfer_graph(Transfer(structure, appearance, size=size, checkpoint=checkpoint))
    needed = [SAVE]
    for name in needed:
        links = (value for value in graph[name]["inputs"].values() if isinstance(value, list))
        needed += [origin for origin, _ in links if origin not in needed]
    return {name: graph[name] for name in graph if name in needed}


def digest(workflow: Mapping[str, Any]) -> str:
    """Tells one workflow from another."""
    return hashlib.sha256(json.dumps(workflow, sort_keys=True).encode()).hexdigest()


def queueable(workflow: dict[str, Any], info: Mapping[str, Any]) -> Graph:
    """A workflow of either form as it is queued, checked for what a grid needs. info: ComfyUI's /object_info."""
    graph = _as_queued(workflow, info)
    if unknown := {node["class_type"] for node in graph.values()} - info.keys():
        raise CliError(f"ComfyUI has no node {', '.join(sorted(unknown))} here, which the workflow uses.")
    check_roles(graph)
    return graph


def check_roles(workflow: Mapping[str, Any]) -> None:
    """Raises `CliError` where a workflow of either form does not load both images, or saves none. No ComfyUI is asked:
    a node inside a subgraph counts as well.
    """
    graph = _simplified(workflow) if "nodes" in workflow else dict(workflow)
    for role in ROLES:
        if not _loading(graph, role):
            raise CliError(
                f"The workflow loads no image called {role}: choose {role}.png in the Load Image node that every "
                f"{role} shall go into."
            )
    if not any(node["class_type"] == "SaveImage" for node in graph.values()):
        raise CliError("The workflow saves no image: end it with a Save Image node.")


def _simplified(workflow: Mapping[str, Any]) -> Graph:
    """Nodes of a saved workflow with their kind, and the file of those that load one."""
    subgraphs = workflow.get("definitions", {}).get("subgraphs", [])
    nodes = [node for sheet in (workflow, *subgraphs) for node in sheet["nodes"]]
    return {
        str(number): {
            "class_type": node["type"],
            "inputs": {"image": next(iter(node.get("widgets_values") or []), None)},
        }
        for number, node in enumerate(nodes)
    }


def _as_queued(workflow: dict[str, Any], info: Mapping[str, Any]) -> Graph:
    """A workflow in the form for programs. What only the page has, such as a Reroute, only the page can resolve."""
    try:
        return api_graph(workflow, info) if "nodes" in workflow else workflow
    except (KeyError, ValueError):
        raise CliError(
            "The workflow cannot be queued as it is saved: export it again with File > Export (API), from a page on "
            "which it runs."
        ) from None


def job(graph: Graph, pair: GridPair) -> Job:
    """The graph with the images of a pair, under names that say what they hold, so that ComfyUI knows them again."""
    filled = {name: {**node, "inputs": dict(node["inputs"])} for name, node in graph.items()}
    images = {}
    for role, image in zip(ROLES, (pair.structure, pair.appearance), strict=True):
        sent = f"grid_{image.digest[:24]}{image.path.suffix.lower()}"
        images[sent] = str(image.path)
        for node in _loading(graph, role):
            filled[node]["inputs"]["image"] = sent
    return Job(filled, images)


def _loading(graph: Graph, role: str) -> list[str]:
    """The Load Image nodes for images of this role: theirs is called structure.png, for example."""
    loaders = {name: node["inputs"].get("image") for name, node in graph.items() if node["class_type"] == "LoadImage"}
    return [name for name, file in loaders.items() if PurePosixPath(str(file)).stem.lower() == role]
