"""Every workflow that comes with the pack, queued through the real server and finished.

They run as committed but for two things. Fewer steps: 14 with 4 left out, the windows moved accordingly. And the
workflows for a user's own models get the pocket checkpoint, a tiny ViT of random weights and pocket scenes, since no
machine of ours has the others; their nodes and links stay the same.
"""

import io
import json

import numpy as np
import pytest
from appearance_transfer.developer.client import Graph, GraphError
from appearance_transfer.developer.gallery import file_name, gallery
from appearance_transfer.developer.gallery.stand_in import on_the_pocket
from appearance_transfer.developer.paths import ROOT
from appearance_transfer.developer.ui_graph import api_graph
from appearance_transfer.tests.evaluation.perceptual_weights import RANDOM_LPIPS
from appearance_transfer.tests.splice.vits import TINY_VIT
from PIL import Image

OURS = "AppearanceTransfer_"
OWN, SDXL, KEPT = "02_cross_image_attention", "32_sdxl", "04_save_and_load_inversion"
SPLICE, APPLIED = "10_splice", "11_splice_apply"
WITH_A_VIT = {SPLICE, "12_vit_feature_inversion", "13_key_self_similarity"}
COLLECTED, DISTILLED = "16_collect_pairs", "17_train_distilled_editor"
MEASURED, WEIGHED, REPORTED = "18_measure_a_transfer", "33_measure_with_weights", "36_own_images"
CLIP = {"CLIPVisionLoader", "CLIPLoader", OURS + "CLIPImageSimilarity", OURS + "CLIPTextSimilarity", OURS + "CLIPAcc"}
ON_TRANSFORMERS = {"27_flux1_krea", "28_flux2_klein", "29_z_image", "30_qwen_image"}
ELSEWHERE = (
    {OWN, SDXL, KEPT, APPLIED, DISTILLED, MEASURED, WEIGHED, REPORTED} | WITH_A_VIT | ON_TRANSFORMERS
)  # tested below, each as its note says
FEWER = {
    OURS + "InvertImage": {"steps": 14, "start_at_step": 4},
    OURS + "ReferenceImage": {"steps": 14, "start_at_step": 4},
    OURS + "InvertImageDDIM": {"steps": 10},
    OURS + "NullTextInversion": {"steps": 10, "updates": 1},
    OURS + "LatentDeviation": {"ensemble": 1},
    OURS + "WordAttentionMap": {"at_percent": 0.1},
    OURS + "DIFTFeatures": {"ensemble": 1},
    OURS + "TrainSplice": {"steps": 2, "resolution": 64, "preview_every": 1},
    OURS + "InvertViTFeature": {"steps": 2, "preview_every": 1},
    OURS + "DINOFeatures": {"resolution": 64},
    OURS + "EditDirection": {"count": 20},
    "BasicScheduler": {"steps": 4},
    OURS + "TrainDistilledEditor": {"size": "64", "steps": 2, "batch": 2, "width": 0.0625, "preview_every": 1},
}


@pytest.fixture(scope="module")
def info(server) -> dict:
    return server.get("/object_info")


def committed(name: str, info: dict, with_muted: bool = False) -> Graph:
    """What the page would queue, with fewer steps."""
    workflow = json.loads((ROOT / "workflows" / f"{file_name(name)}.json").read_text(encoding="utf-8"))
    graph = api_graph(workflow, info, with_muted)
    for node in graph.values():
        node["inputs"] |= FEWER.get(node["class_type"], {})
    return graph


def images(server, graph: Graph) -> dict[str, np.ndarray]:
    """Queue a graph; the saved images, as arrays [H, W, 3] in 0..255, by node."""
    outcome = server.queue(graph)
    saved = [node for node, about in graph.items() if about["class_type"] == "SaveImage"]
    return {node: np.asarray(Image.open(io.BytesIO(server.image(outcome, node))).convert("RGB")) for node in saved}


def is_an_image(array: np.ndarray) -> bool:
    """Not one color, as a decoded NaN would be."""
    return bool(array.std() > 5)


@pytest.mark.parametrize("name", sorted(set(gallery()) - ELSEWHERE))
def test_it_finishes_with_an_image(server, info, name) -> None:
    (image,) = images(server, committed(name, info)).values()
    assert is_an_image(image)


@pytest.mark.parametrize("name", [OWN, SDXL])
def test_those_for_your_own_checkpoint_finish_on_the_pocket(server, info, name) -> None:
    (image,) = images(server, on_the_pocket(committed(name, info))).values()
    assert image.shape == (128, 128, 3)
    assert is_an_image(image)


@pytest.mark.parametrize("name", sorted(ON_TRANSFORMERS))
def test_those_for_a_users_transformer_finish_on_the_pocket_one(server, info, name) -> None:
    (image,) = images(server, on_the_pocket(committed(name, info))).values()
    assert image.shape == (256, 256, 3)
    assert is_an_image(image)


def test_saving_first_and_loading_later(server, info) -> None:
    """As its note says: queue, wake the muted group up, queue again."""
    assert not images(server, committed(KEPT, info))
    (image,) = images(server, committed(KEPT, info, with_muted=True)).values()
    assert is_an_image(image)


@pytest.mark.parametrize("name", sorted(WITH_A_VIT))
def test_those_with_a_vit_finish_with_a_random_one(server, info, name) -> None:
    (image,) = images(server, on_the_pocket(committed(name, info), vit=TINY_VIT)).values()
    assert min(image.shape[:2]) >= 64


def test_a_generator_is_trained_and_applied_later(server, info) -> None:
    images(server, on_the_pocket(committed(SPLICE, info), vit=TINY_VIT))
    (image,) = images(server, on_the_pocket(committed(APPLIED, info))).values()
    assert image.shape == (128, 128, 3)


def test_pairs_are_collected_and_an_editor_learns_them(server, info) -> None:
    images(server, committed(COLLECTED, info))
    (image,) = images(server, committed(DISTILLED, info)).values()
    assert image.shape == (128, 128, 3)


def displayed_by(outcome, graph: Graph) -> dict[str, dict]:
    """What each node of ours displays, by its kind."""
    return {graph[name]["class_type"].removeprefix(OURS): displayed for name, displayed in outcome.outputs.items()}


def test_a_transfer_is_measured(server, info) -> None:
    graph = committed(MEASURED, info)
    outcome = server.queue(graph)
    displayed = displayed_by(outcome, graph)
    assert all("image 0: " in displayed[node]["text"][0] for node in ("MaskIoU", "ReconstructionQuality"))
    assert is_an_image(comparison(server, graph, outcome))


def test_own_images_are_reported_on_one_sheet(server, info) -> None:
    """Two images, what paints what, what comes back, and three transfers: seven tiles."""
    graph = on_the_pocket(committed(REPORTED, info))
    sheet = comparison(server, graph, server.queue(graph))
    tiles = np.array_split(sheet, 7, axis=1)
    assert all(map(is_an_image, tiles))
    assert sum(not np.array_equal(tiles[4], tile) for tile in tiles[5:]) == 2


def comparison(server, graph: Graph, outcome) -> np.ndarray:
    """What Comparison Grid has saved."""
    (grid,) = (name for name, node in graph.items() if node["class_type"] == OURS + "ComparisonGrid")
    return np.asarray(Image.open(io.BytesIO(server.image(outcome, grid))))


def test_a_transfer_is_measured_with_weights_at_hand(server, info) -> None:
    """LPIPS by a network of random weights; no CLIP is at hand."""
    graph = {name: node for name, node in committed(WEIGHED, info).items() if node["class_type"] not in CLIP}
    for node in graph.values():
        if node["class_type"] == OURS + "LoadPerceptualNetwork":
            node["inputs"]["name"] = RANDOM_LPIPS
    outcome = server.queue(graph)
    displayed = displayed_by(outcome, graph)
    assert displayed["BackgroundLPIPS"]["text"][0].startswith("LPIPS by AlexNet")
    assert "image 0: " in displayed["GramDistance"]["text"][0]


def test_without_its_checkpoint_it_says_so(server, info) -> None:
    """The workflow for a user's own checkpoint, queued as it comes: refused, naming what is missing."""
    with pytest.raises(GraphError, match="CheckpointLoaderSimple|LoadImage") as error:
        server.queue(committed(OWN, info))
    assert error.value.kind == "rejected"
