"""The real server: it starts, shows our nodes, runs graphs, refuses bad ones and stops when told."""

import threading

import pytest
from appearance_transfer.developer.client import GraphError

IMAGE = {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": 255}}
GRAPH = {"image": IMAGE, "show": {"class_type": "PreviewImage", "inputs": {"images": ["image", 0]}}}


def test_the_pack_is_loaded_by_its_folder(server) -> None:
    known = server.get("/object_info/AppearanceTransfer_PocketScene")
    assert known["AppearanceTransfer_PocketScene"]["python_module"] == "custom_nodes.appearance-transfer"


def test_a_graph_runs_and_its_image_can_be_fetched(server) -> None:
    outcome = server.queue(GRAPH)
    assert server.image(outcome, "show").startswith(b"\x89PNG")
    assert {"image", "show"} <= outcome.seconds.keys() | set(outcome.cached)


def test_a_refused_graph_names_the_node(server) -> None:
    with pytest.raises(GraphError, match="width") as error:
        server.queue(GRAPH | {"image": {**IMAGE, "inputs": IMAGE["inputs"] | {"width": 0}}})
    assert (error.value.kind, error.value.node) == ("rejected", "image")


def test_an_empty_graph_is_refused(server) -> None:
    with pytest.raises(GraphError) as error:
        server.queue({})
    assert error.value.kind == "rejected"


def test_events_reach_the_watcher(server) -> None:
    seen: list[str] = []
    server.queue(GRAPH, lambda kind, data: seen.append(kind))
    assert "execution_success" in seen


def test_two_clients_do_not_mix_up_their_graphs(server) -> None:
    shapes = {}

    def queue(width: int) -> None:
        image = {**IMAGE, "inputs": IMAGE["inputs"] | {"width": width}}
        shapes[width] = server.image(server.queue(GRAPH | {"image": image}), "show")[16:20]

    threads = [threading.Thread(target=queue, args=(width,)) for width in (24, 40)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert shapes == {width: width.to_bytes(4, "big") for width in (24, 40)}
