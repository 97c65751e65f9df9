"""Settings that no workflow has, and measures whose networks no workflow has at hand, on the pretended GPU."""

from __future__ import annotations

import pytest
import torch
from appearance_transfer.tests.host.clips import small_vision
from appearance_transfer.tests.pretended_gpu.test_workflows import ROUNDED, workflow

TRANSFER, REARRANGED = "01_cross_image_attention_pocket", "06_eye_for_an_eye"
GUIDED, DEVIATED = "14_pix2pix_zero_real", "09_fine_grained_transfer"


def test_of_cross_image_attention(machines) -> None:
    graph = workflow(TRANSFER)
    graph["attention"]["inputs"] |= {"preset": "reference code", "contrast": 1.0, "strength": 0.5}
    appearance, structure = graph["invert_appearance"], graph["invert_structure"]  # replayed, so it is inverted too
    graph["invert_appearance"] = {**structure, "inputs": structure["inputs"] | appearance["inputs"]}
    machines.same(graph)


def test_of_semantic_rearrangement(machines) -> None:
    graph = workflow(REARRANGED)
    graph["attention"]["inputs"] |= {"find": False, "match_source": "dift", "inject": "v"}
    machines.same(graph)


@pytest.mark.parametrize(
    ("name", "node", "settings"),
    [
        # little of it, since stored maps are in fp16, where a number may fall to either side
        (GUIDED, "guider", {"reference_maps": "store", "amount": 0.1}),
        (DEVIATED, "deviate", {"matching": "initial"}),
        (DEVIATED, "deviate", {"matching": "found"}),
    ],
)
def test_of_what_needs_gradients(machines, name: str, node: str, settings: dict) -> None:
    graph = workflow(name)
    schema = machines.host.nodes[graph[node]["class_type"]].define_schema()
    assert {entry.id for entry in schema.inputs} >= settings.keys()
    graph[node]["inputs"] |= settings
    machines.same(graph, ROUNDED)


def test_clip_sees_what_it_sees_on_the_cpu(machines) -> None:
    from appearance_transfer.host.evaluation.clip_scores import agreement_with_images

    random = torch.Generator().manual_seed(0)
    one, other = (torch.rand(2, 40, 40, 3, generator=random) for _ in range(2))
    mask = torch.zeros(1, 40, 40)
    mask[:, 8:30, 8:30] = 1

    def measured() -> list[float]:
        with torch.inference_mode():
            return list(agreement_with_images(small_vision(), one, other, mask, mask).values)

    there = measured()
    with machines.cpu():
        assert there == pytest.approx(measured(), abs=1e-6)
