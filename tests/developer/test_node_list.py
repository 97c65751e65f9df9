"""`dev.py nodes` reads the schemas without running them; it must say what ComfyUI says."""

from appearance_transfer.developer.node_list import ListedNode, listed_nodes
from appearance_transfer.tests.nodes.conftest import about


def test_it_is_what_comfyui_has_registered(host) -> None:
    registered = {name: node for name, node in host.nodes.items() if name.startswith("AppearanceTransfer_")}
    infos = [about(name, node) for name, node in registered.items()]
    expected = [ListedNode(info["name"], info["display_name"], info["category"]) for info in infos]
    assert listed_nodes() == sorted(expected)
