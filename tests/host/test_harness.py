"""the real ComfyUI in this process: what the other tests of this folder stand on."""

import pytest
import torch
from appearance_transfer.developer.client import GraphError

RED = 0xFF0000
GRAPH = {"red": {"class_type": "EmptyImage", "inputs": {"width": 16, "height": 8, "batch_size": 1, "color": RED}}}


def test_values_flow_out_of_a_graph(host) -> None:
    image = host.run(GRAPH, image=("red", 0)).image
    assert torch.equal(image, torch.tensor([1.0, 0.0, 0.0]).expand(1, 8, 16, 3))


def test_a_class_is_the_same_class_on_both_sides(host) -> None:
    assert host.nodes["AppearanceTransfer_PocketScene"].__module__ == "appearance_transfer.nodes.pocket"


def test_a_second_run_is_cached_until_forgotten(host) -> None:
    first = host.run(GRAPH, image=("red", 0)).image
    again = host.run(GRAPH, image=("red", 0))
    assert "red" in again.outcome.cached
    assert again.image is first
    host.forget()
    anew = host.run(GRAPH, image=("red", 0))
    assert "red" not in anew.outcome.cached
    assert torch.equal(anew.image, first)


def test_a_refused_graph_names_the_node_and_the_reason(host) -> None:
    wrong = {"red": {**GRAPH["red"], "inputs": GRAPH["red"]["inputs"] | {"width": 0}}}
    with pytest.raises(GraphError, match="EmptyImage: .*width") as error:
        host.run(wrong, image=("red", 0))
    assert (error.value.kind, error.value.node) == ("rejected", "red")


def test_a_failing_node_tells_what_the_user_would_read_and_the_next_run_is_fine(host) -> None:
    broken = {"load": {"class_type": "LoadLatent", "inputs": {"latent": "missing.latent"}}}
    with pytest.raises(GraphError):
        host.run(broken, latent=("load", 0))
    size = {"upscale_method": "bicubic", "width": 8, "height": 8, "crop": "disabled"}
    graph = GRAPH | {"scaled": {"class_type": "ImageScale", "inputs": {"image": ["red", 0], **size}}}
    assert host.run(graph, image=("scaled", 0)).image.shape == (1, 8, 8, 3)
