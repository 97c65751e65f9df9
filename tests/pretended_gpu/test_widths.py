"""Half precision and streamed weights, which a CPU run of ComfyUI never has, on the pretended GPU."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from appearance_transfer.developer.client import Graph, GraphError
from appearance_transfer.tests.pretended_gpu.test_workflows import workflow

TRANSFER, REARRANGED = "01_cross_image_attention_pocket", "06_eye_for_an_eye"
NULL_TEXT, GUIDED = "09_fine_grained_transfer", "14_pix2pix_zero_real"


def in_fp16(graph: Graph) -> Graph:
    """With weights in fp16, in which such a GPU also computes."""
    graph["checkpoint"]["inputs"]["precision"] = "fp16"
    return graph


def in_bf16(graph: Graph) -> Graph:
    """With weights in fp32, computed in bf16."""
    for node in graph.values():
        if node["inputs"].get("model") == ["checkpoint", 0]:
            node["inputs"]["model"] = ["cast", 0]
    cast = {"model": ["checkpoint", 0], "dtype": "bf16"}
    return graph | {"cast": {"class_type": "ModelComputeDtype", "inputs": cast}}


@pytest.fixture
def no_vram(host) -> Iterator[None]:
    """ComfyUI as started with --novram: no weight stays on the GPU."""
    import comfy.model_management as management

    before = management.vram_state
    management.vram_state = management.VRAMState.NO_VRAM
    yield
    management.vram_state = before


@pytest.mark.parametrize(
    ("name", "narrow"),
    [
        (TRANSFER, in_fp16),
        (TRANSFER, in_bf16),
        (REARRANGED, in_fp16),
        (NULL_TEXT, in_bf16),
        (GUIDED, in_fp16),
    ],
)
def test_half_precision_finishes_with_numbers(machines, name: str, narrow) -> None:
    found = machines.on_gpu(narrow(workflow(name)))
    (image,) = (value for path, value in found.items() if path == "decode 0")
    assert image.isfinite().all()
    assert image.std() > 0.02


def test_streamed_weights_change_nothing(machines, no_vram) -> None:
    machines.same(workflow(TRANSFER))


@pytest.mark.parametrize("name", [NULL_TEXT, GUIDED])
def test_gradients_want_the_weights_there(machines, no_vram, name: str) -> None:
    with pytest.raises(GraphError, match="Start it with --lowvram"):
        machines.on_gpu(workflow(name))
