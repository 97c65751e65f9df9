"""What /object_info tells of the nodes, taken from ComfyUI in this process; and files in the page's form."""

import json
from typing import Any

import pytest


@pytest.fixture(scope="session")
def info(host) -> dict[str, dict[str, Any]]:
    """Node id -> inputs, outputs and labels, of every node that ComfyUI has registered."""
    return {name: about(name, node) for name, node in host.nodes.items() if name != "TestKeep"}


@pytest.fixture(scope="session")
def ours(info) -> dict[str, dict[str, Any]]:
    """The same for the nodes of this pack."""
    return {name: node for name, node in info.items() if name.startswith("AppearanceTransfer_")}


@pytest.fixture
def workflow(name, request) -> dict[str, Any]:
    """What the page opens as `name`, from the FOLDER of the module of the test."""
    return json.loads((request.module.FOLDER / f"{name}.json").read_text(encoding="utf-8"))


def about(name: str, node: type) -> dict[str, Any]:
    if hasattr(node, "GET_NODE_INFO_V1"):
        return node.GET_NODE_INFO_V1()
    import nodes

    inputs = node.INPUT_TYPES()
    return {
        "name": name,
        "display_name": nodes.NODE_DISPLAY_NAME_MAPPINGS.get(name, name),
        "python_module": getattr(node, "RELATIVE_PYTHON_MODULE", "nodes"),
        "input": inputs,
        "input_order": {section: list(found) for section, found in inputs.items()},
        "output": list(node.RETURN_TYPES),
        "output_name": list(getattr(node, "RETURN_NAMES", node.RETURN_TYPES)),
    }
