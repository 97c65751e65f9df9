"""What no node of the pack takes: values that are not what their socket stands for, named in one sentence."""

import pytest
import torch
from appearance_transfer.benchmarks.faults.served import TRYING, transfer
from appearance_transfer.developer.client import GraphError
from appearance_transfer.host.runtime.quoting import quoted
from appearance_transfer.pocket.checkpoint import DEFAULT_NETWORK

OURS = "AppearanceTransfer_"
SCENE = {"class_type": OURS + "PocketScene", "inputs": {"seed": 2, "species": "horse", "coat": "any", "view": "any"}}
SCENE["inputs"]["size"] = 128
POCKET = {"class_type": OURS + "LoadPocketCheckpoint", "inputs": {"network": DEFAULT_NETWORK, "precision": "fp32"}}
TEXT = {"class_type": "CLIPTextEncode", "inputs": {"text": "a photo of a horse", "clip": ["checkpoint", 1]}}
LATENT = {"class_type": "VAEEncode", "inputs": {"pixels": ["scene", 0], "vae": ["checkpoint", 2]}}
INVERT = {"model": ["checkpoint", 0], "latent": ["latent", 0], "positive": ["text", 0], "negative": ["text", 0]}
INVERT |= {"text": "", "steps": 2, "start_at_step": 0, "cfg": 1.0, "seed": 0, "eta": 1.0, "last_noise": "auto"}
INVERT |= {"levels_per_forward": 1}
COLORS = {"output": ["scene", 0], "appearance": ["scene", 0]}


@pytest.fixture(scope="module")
def trying(host):
    """ComfyUI with the pack of wrong values."""
    import asyncio

    import nodes

    assert asyncio.run(nodes.load_custom_node(str(TRYING["reliability"])))
    return host


def run(trying, node: str, inputs: dict, wrong: dict[str, str]) -> GraphError:
    """What a node says of wrong values through wildcard sockets: input -> name of the value."""
    graph = {"scene": SCENE, "checkpoint": POCKET, "text": TEXT, "latent": LATENT}
    for name, kind in wrong.items():
        graph[f"wrong {name}"] = {"class_type": "Reliability_WrongValue", "inputs": {"kind": kind}}
        inputs = inputs | {name: [f"wrong {name}", 0]}
    graph["node"] = {"class_type": OURS + node, "inputs": inputs}
    with pytest.raises(GraphError) as error:
        trying.run(graph, result=("node", 0))
    return error.value


@pytest.mark.parametrize(
    ("node", "inputs", "name", "value", "sentence"),
    [
        ("InvertImage", INVERT, "cfg", "NaN", "cfg is nan; it must be a finite number"),
        ("InvertImage", INVERT, "steps", "minus a million", "steps is -1000000; it must be 1 or more"),
        ("InvertImage", INVERT, "latent", "a latent with NaN", "latent holds NaN or infinite numbers"),
        ("InvertImage", INVERT, "latent", "no latents", "latent is empty"),
        ("InvertImage", INVERT, "latent", "a latent of 16 channels", "latent has 16 channels"),
        ("InvertImage", INVERT, "positive", "a conditioning with NaN", "positive holds NaN"),
        ("InvertImage", INVERT, "positive", "an empty list", "positive holds no prompt"),
        ("InvertImage", INVERT, "negative", "a conditioning of another CLIP", "negative has 640 channels"),
        ("InvertImage", INVERT, "model", "Flux", "latent has 4 channels and the MODEL works on 16"),
        ("InvertImage", INVERT, "model", "PixArt", "model is a PixArtMS, .* does not know. It works with SD1.x.*Flux"),
        ("InvertImage", INVERT, "model", "an object", "model is a value of the type '_Foreign'"),
        ("ColorHistogramDistance", COLORS, "output", "an image with NaN", "output holds NaN"),
        ("ColorHistogramDistance", COLORS, "output", "no images", "output is empty"),
        ("ColorHistogramDistance", COLORS, "output", "an image without pixels", "output is empty"),
        ("ColorHistogramDistance", COLORS, "output", "an image without its batch", "output has the shape"),
        ("ColorHistogramDistance", COLORS, "output_mask", "three masks", "output_mask holds 3 masks and output 1"),
        ("ColorHistogramDistance", COLORS, "output_mask", "a mask of another shape", "output_mask is 42x128"),
        ("AppearanceOptions", {"weight": 1.0}, "reference", "an object", "reference is a value of the type"),
        ("ResumeFromInversion", {}, "inversion", "nothing", r"inversion is nothing \(None\); connect one from"),
    ],
)  # fmt: skip
def test_one_sentence_that_names_the_input(trying, node, inputs, name, value, sentence) -> None:
    error = run(trying, node, inputs, {name: value})
    assert (error.kind, error.node, error.exception) == ("failed", "node", "ValueError")
    with pytest.raises(ValueError, match=f"^{sentence}"):
        raise ValueError(str(error))
    assert len(str(error)) < 300


def test_nothing_of_the_network_runs_before(trying) -> None:
    """An image with NaN in DIFT Features: the sentence comes from the guard, not from features that hold NaN."""
    inputs = {"model": ["checkpoint", 0], "positive": ["text", 0], "vae": ["checkpoint", 2], "feature_preset": "pocket"}
    inputs |= {"seed": 0, "timestep": 1, "up_block": 1, "block": 0, "block_facet": "tokens", "ensemble": 1}
    inputs |= {"posterior": "mean", "images_per_forward": 1}
    error = run(trying, "DIFTFeatures", inputs, {"image": "an image with NaN"})
    assert str(error).startswith("image holds NaN")


def test_one_too_many_of_a_growing_input(trying) -> None:
    """ComfyUI does not know the ninth and hands it to the node under its whole name."""
    inputs = {f"images.image{number}": ["scene", 0] for number in range(9)}
    inputs |= {"captions": "\n".join("abcdefghi"), "tile": 64, "filename_prefix": "x"}
    graph = {"scene": SCENE, "node": {"class_type": OURS + "ComparisonGrid", "inputs": inputs}}
    with pytest.raises(GraphError, match="^'images.image8' is one too many: images takes 8 at most") as error:
        trying.run(graph)
    assert error.value.exception == "ValueError"


@pytest.mark.parametrize(
    "text", ["[" * 100_000, '{"x":' * 50_000, "[[1, " + "9" * 5000 + "]]", "x" * 100_000], ids=range(4)
)
def test_points_that_are_none(trying, text) -> None:
    graph_inputs = {"structure": ["scene", 0], "appearance": ["scene", 0], "lines": 1, "height": 64, "points": text}
    graph = {"scene": SCENE, "checkpoint": POCKET, "text": TEXT, "latent": LATENT}
    graph["features"] = {"class_type": OURS + "DIFTFeatures", "inputs": {
        "model": ["checkpoint", 0], "positive": ["text", 0], "latent": ["latent", 0], "feature_preset": "pocket",
        "seed": 0, "timestep": 1, "up_block": 1, "block": 0, "block_facet": "tokens", "ensemble": 1,
        "posterior": "mean", "images_per_forward": 1,
    }}  # fmt: skip
    graph["match"] = {"class_type": OURS + "MatchFeatures", "inputs": {
        "structure": ["features", 0], "appearance": ["features", 0], "method": "nearest", "floor": -1.0,
        "structure_points": "", "appearance_points": "", "radius": 0.0, "temperature": 0.1, "candidates": 1,
    }}  # fmt: skip
    graph["node"] = {"class_type": OURS + "DrawMatches", "inputs": graph_inputs | {"matches": ["match", 0]}}
    with pytest.raises(GraphError, match="^points") as error:
        trying.run(graph, result=("node", 0))
    assert (error.value.node, error.value.exception) == ("node", "ValueError")
    assert len(str(error.value)) < 400


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("mask of an appearance", "a mask of another shape", "is 42x128, which is another shape than the latent to"),
        ("mask of an appearance", "three masks", "holds 3 masks and the latent to sample 1"),
        ("mask of AdaIN", "a mask of another shape", "is 42x128, which is another shape than the latent to"),
        ("AdaIN's mask", "three masks", "holds 3 images and the batch 1"),
    ],
)
def test_masks_of_the_output_are_looked_at_before_the_first_step(trying, name, value, sentence) -> None:
    graph = transfer()
    graph["wrong"] = {"class_type": "Reliability_WrongValue", "inputs": {"kind": value}}
    if name == "mask of an appearance":
        weigh = {"reference": ["invert_appearance", 0], "weight": 1.0, "mask": ["wrong", 0]}
        graph["weigh"] = {"class_type": OURS + "AppearanceOptions", "inputs": weigh}
        graph["attention"]["inputs"]["appearances.appearance0"] = ["weigh", 0]
    else:
        graph["adain"]["inputs"]["mask"] = ["wrong", 0]
    with pytest.raises(GraphError, match=f"{name} {sentence}") as error:
        trying.run(graph)
    assert (error.value.node, error.value.exception) == ("sample", "ValueError")


def test_a_mask_without_its_batch_is_one_mask(trying) -> None:
    """Some packs hand on [H, W]; where it is one of a growing input, too."""
    graph = {"scene": SCENE, "wrong": {"class_type": "Reliability_WrongValue", "inputs": {}}}
    graph["wrong"]["inputs"]["kind"] = "a mask without its batch"
    inputs = {"output": ["wrong", 0], "structure": ["scene", 1]}
    graph["iou"] = {"class_type": OURS + "MaskIoU", "inputs": inputs}
    assert trying.run(graph, iou=("iou", 0)).iou > 0
    node = trying.nodes[OURS + "MatchFeatures"]
    from appearance_transfer.host.runtime.input_checks import masks_as_batches

    regions = {"structure_regions": {"region0": torch.ones(8, 8), "region1": None}, "structure_mask": torch.ones(8, 8)}
    found = masks_as_batches(node.define_schema().inputs, regions)
    assert found["structure_regions"]["region0"].shape == found["structure_mask"].shape == (1, 8, 8)
    warp = trying.nodes[OURS + "WarpByMatches"].define_schema().inputs
    assert masks_as_batches(warp, {"values": torch.ones(8, 8)})["values"].shape == (1, 8, 8)


@pytest.mark.parametrize("prefix", ["../x", "/etc/x", "a/../../x", "", "x" * 300, "a\nb", "a/"])
def test_a_file_name_that_leads_elsewhere(trying, prefix) -> None:
    inputs = {"images.image0": ["scene", 0], "captions": "a", "tile": 64, "filename_prefix": prefix}
    graph = {"scene": SCENE, "node": {"class_type": OURS + "ComparisonGrid", "inputs": inputs}}
    with pytest.raises(GraphError, match="^filename_prefix is ") as error:
        trying.run(graph)
    assert error.value.exception == "ValueError"


def test_a_long_prompt_is_not_repeated_whole() -> None:
    assert len(quoted("x" * 100_000)) < 110
    assert quoted("a photo of a horse on a meadow") == "'a photo of a horse on a meadow'"


@pytest.mark.parametrize("dtype", [torch.float32, torch.float16, torch.bfloat16])
def test_finite_numbers_whose_sum_is_not(host, dtype) -> None:
    from appearance_transfer.host.runtime.socket_values import all_finite

    large = torch.full((4096,), torch.finfo(dtype).max, dtype=dtype)
    assert all_finite(large)
    for wrong in (float("nan"), float("inf"), -float("inf")):
        large[7] = wrong
        assert not all_finite(large)


@pytest.mark.parametrize(
    ("mask", "size", "fits"),
    [
        ((1, 128, 128), (16, 16), True), ((128, 128), (16, 16), True), ((1, 9, 12), (76, 100), True),
        ((1, 64, 64), (64, 48), False), ((1, 512, 512), (512, 500), True), ((1, 60, 66), (7, 8), True),
    ],
)  # fmt: skip
def test_a_mask_has_the_shape_of_its_image(host, mask, size, fits) -> None:
    from appearance_transfer.host.runtime.input_fits import check_mask

    if fits:
        check_mask(torch.ones(mask), 1, size, name="mask", of="image")
        return
    with pytest.raises(ValueError, match="^mask is 64x64, which is another shape than image"):
        check_mask(torch.ones(mask), 1, size, name="mask", of="image")
