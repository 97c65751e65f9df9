"""What a user reads when matching goes wrong, in the workflows that come with the pack, through the real server."""

import copy

import pytest
from appearance_transfer.developer.client import Graph, GraphError
from appearance_transfer.developer.gallery import gallery

OURS = "AppearanceTransfer_"
QUICK = {
    OURS + "DIFTFeatures": {"ensemble": 1},
    OURS + "InvertImage": {"steps": 4, "start_at_step": 1},
    OURS + "ReferenceImage": {"steps": 4, "start_at_step": 1},
    OURS + "InvertImageDDIM": {"steps": 4},
    OURS + "NullTextInversion": {"steps": 4, "updates": 1},
    OURS + "InvertViTFeature": {"steps": 1},
}
EMPTY = {"class_type": "SolidMask", "inputs": {"value": 0.0, "width": 128, "height": 128}}
FLAT = {
    "class_type": "ImageScale",
    "inputs": {"image": ["appearance", 0], "upscale_method": "area", "width": 128, "height": 64, "crop": "disabled"},
}
FLAT_MASK = {"class_type": "ImageToMask", "inputs": {"image": ["flat", 0], "channel": "red"}}


def broken(name: str, output: str, added: dict | None = None, **changes) -> Graph:
    """A workflow, quickened, with one output node and some inputs changed."""
    graph = copy.deepcopy(gallery()[name].graph) | (added or {})
    for node in graph.values():
        node["inputs"] |= QUICK.get(node["class_type"], {})
    for node, inputs in changes.items():
        graph[node]["inputs"] |= inputs
    return _behind(graph, output)


def _behind(graph: Graph, output: str) -> Graph:
    """The output and all that it needs: ComfyUI would run other outputs that are still valid."""
    expected, todo = {}, [output]
    while todo:
        name = todo.pop()
        expected[name] = graph[name]
        todo += [value[0] for value in graph[name]["inputs"].values() if isinstance(value, list) and value[0] in graph]
    return expected


@pytest.mark.parametrize(
    ("graph", "node", "sentence"),
    [
        (
            broken("05_dift_matching", "save", {"empty": EMPTY}, match={"appearance_mask": ["empty", 0]}),
            "match",
            "Nothing can be matched",
        ),
        (
            broken("05_dift_matching", "save", features_appearance={"feature_preset": "geometric"}),
            "match",
            "cannot be compared",
        ),
        (
            broken("05_dift_matching", "save", match={"structure_points": "10, 10", "appearance_points": ""}),
            "match",
            "There are 1 structure point",
        ),
        (
            broken("05_dift_matching", "save", features_structure={"feature_preset": "custom", "up_block": 3}),
            "features_structure",
            "Set up_block to at most 2",
        ),
        (
            broken("09_fine_grained_transfer", "save", word={"word": "teapot"}),
            "word",
            "'teapot' is not in the prompt",
        ),
        (
            broken(
                "08_corrected_match",
                "save",
                {"flat": FLAT, "flat_mask": FLAT_MASK},
                features_appearance={"image": ["flat", 0]},
                corrected={"appearance_mask": ["flat_mask", 0]},
            ),
            "corrected",
            "The appearance image is 128x128, but the matches are of one of 128x64",
        ),
        (
            broken("09_fine_grained_transfer", "save", guider={"inversion": ["invert_appearance", 0]}),
            "guider",
            "has no null-text embeddings",
        ),
    ],
    ids=[
        "masks without a position", "features made otherwise", "points without partners", "a block it does not have",
        "a word that is not there", "matches of images of another shape", "no embeddings",
    ],
)  # fmt: skip
def test_one_clear_sentence(server, graph, node, sentence) -> None:
    with pytest.raises(GraphError, match=sentence) as error:
        server.queue(graph)
    assert (error.value.kind, error.value.node) == ("failed", node)
