"""A template in fewer nodes makes the same image as the graph that the demo queues."""

import pytest
import torch
from appearance_transfer.developer.gallery.compact import compact
from appearance_transfer.developer.part_by_part import part_by_part
from appearance_transfer.developer.transfer_graph import GraphImage, Transfer, transfer_graph

TRUE = {"structure": ["structure", 1], "appearance": ["appearance", 1]}
SHORT = Transfer(GraphImage("horse", seed=27), GraphImage("cow", seed=38), steps=6, start_at_step=2)


@pytest.mark.parametrize("rearranged", [False, True], ids=["appearance guidance", "text guidance"])
def test_the_image_is_the_same(host, rearranged) -> None:
    graph = transfer_graph(SHORT)
    graph["attention"]["inputs"]["find"] = False  # it would see the colors of an image, which a latent has not
    if rearranged:
        graph = part_by_part(graph, TRUE)
        graph["attention"]["inputs"]["find"] = False
    first, second = (
        host.run({name: dict(about) for name, about in one.items()}, image=("decode", 0)).image
        for one in (graph, compact(graph))
    )
    assert torch.equal(first, second)
