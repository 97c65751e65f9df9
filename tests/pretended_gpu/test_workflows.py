"""Every workflow that comes with the pack, on the pretended GPU and on the CPU: the same numbers come out.

They run with few steps, and on the pocket checkpoint, a tiny ViT and random networks, as tests/server has them.
"""

from __future__ import annotations

import copy

import pytest
from appearance_transfer.developer.client import Graph
from appearance_transfer.developer.gallery import gallery
from appearance_transfer.developer.gallery.stand_in import on_the_pocket
from appearance_transfer.developer.transfer_graph import OURS
from appearance_transfer.tests.evaluation.perceptual_weights import RANDOM_LPIPS
from appearance_transfer.tests.splice.vits import TINY_VIT

FEW = {
    OURS + "InvertImage": {"steps": 6, "start_at_step": 2},
    OURS + "ReferenceImage": {"steps": 6, "start_at_step": 2},
    OURS + "InvertImageDDIM": {"steps": 4},
    OURS + "NullTextInversion": {"steps": 4, "updates": 1},
    OURS + "LatentDeviation": {"ensemble": 1},
    OURS + "WordAttentionMap": {"at_percent": 0.1},
    OURS + "DIFTFeatures": {"ensemble": 1},
    OURS + "DINOFeatures": {"resolution": 64},
    OURS + "TrainSplice": {"steps": 2, "resolution": 64, "preview_every": 1},
    OURS + "InvertViTFeature": {"steps": 2, "preview_every": 1},
    OURS + "EditDirection": {"count": 4},
    OURS + "TrainDistilledEditor": {"size": "64", "steps": 2, "batch": 2, "width": 0.0625, "preview_every": 1},
    "BasicScheduler": {"steps": 3},
}  # fmt: skip
CLIP = {"CLIPVisionLoader", "CLIPLoader", OURS + "CLIPImageSimilarity", OURS + "CLIPTextSimilarity", OURS + "CLIPAcc"}
KEPT, COLLECTED, DISTILLED = "04_save_and_load_inversion", "16_collect_pairs", "17_train_distilled_editor"
SPLICE, APPLIED = "10_splice", "11_splice_apply"
WEIGHED = "33_measure_with_weights"
WITH_GRADIENTS = {"09_fine_grained_transfer", "14_pix2pix_zero_real"}
ELSEWHERE = {KEPT, COLLECTED, DISTILLED, SPLICE, APPLIED, WEIGHED, *WITH_GRADIENTS}  # below
SAME_GRAPHS = {  # have the nodes of 01, 06 and 16
    "02_cross_image_attention", "07_eye_for_an_eye_two_objects", "15_pix2pix_zero_synthetic", "32_sdxl",
}  # fmt: skip
ROUNDED = 1e-3  # the backward pass rounds by how its tensors lie in memory: 2e-4 was seen; a step of 8 bits is 4e-3
LITTLE = 0.1  # of an edit: at a whole one the network makes a rounding as large as 1e-2, between two CPUs too


def workflow(name: str, muted: bool = False, few: bool = True) -> Graph:
    """A workflow that can be run here. muted: with its muted groups. few: with few steps, else with its own."""
    piece = gallery()[name]
    asleep = {node for group in piece.groups if group.muted for column in group.columns for node in column}
    graph = on_the_pocket(copy.deepcopy(piece.graph), vit=TINY_VIT)
    for node in graph.values() if few else ():
        node["inputs"] |= FEW.get(node["class_type"], {})
    return graph if muted else {node: about for node, about in graph.items() if node not in asleep}


@pytest.mark.parametrize("name", sorted(set(gallery()) - ELSEWHERE - SAME_GRAPHS))
def test_the_numbers_are_those_of_the_cpu(machines, name: str) -> None:
    machines.same(workflow(name))


@pytest.mark.parametrize("name", sorted(WITH_GRADIENTS))
def test_gradients_through_the_network_are_those_of_the_cpu(machines, name: str) -> None:
    graph = workflow(name)
    for node in graph.values():
        if "amount" in node["inputs"]:
            node["inputs"]["amount"] = LITTLE
    machines.same(graph, ROUNDED)


def test_an_inversion_is_kept_and_resumed(machines) -> None:
    machines.same(workflow(KEPT))
    machines.same(workflow(KEPT, muted=True))


def test_a_generator_is_trained_and_applied(machines) -> None:
    machines.same(workflow(SPLICE))
    machines.same(workflow(APPLIED))


def test_pairs_are_collected_and_an_editor_learns_them(machines) -> None:
    graph = workflow(COLLECTED)
    graph["guider"]["inputs"]["amount"] = LITTLE
    machines.same(graph, ROUNDED)
    graph = workflow(DISTILLED)
    graph["train"]["inputs"]["lpips"] = RANDOM_LPIPS
    machines.on_gpu(graph)


def test_a_transfer_is_measured(machines) -> None:
    """With LPIPS by a network of random weights."""
    graph = workflow(WEIGHED)
    graph = {name: node for name, node in graph.items() if node["class_type"] not in CLIP}
    graph["network"]["inputs"]["name"] = RANDOM_LPIPS
    machines.same(graph)
