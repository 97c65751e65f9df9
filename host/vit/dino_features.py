"""What a ViT sees in images, for the nodes that show, compare and match it."""

from typing import Literal

import comfy.model_management
import torch
from torch import Tensor

from ...correspondence.features import Features
from ...evaluation.metric_result import MetricResult
from ...evaluation.structure_distance import Resizing, structure_distance
from ...vit.preprocess import SHORT_SIDE, normalize_imagenet, pillow_resized, vit_input
from ...vit.principal_components import self_similarity_image
from ..runtime.images import one_by_one
from .dino import ManagedVit

Facet = Literal["keys", "queries", "values", "tokens"]
FACETS: tuple[Facet, ...] = ("keys", "queries", "values", "tokens")


def dino_features(
    vit: ManagedVit,
    image: Tensor,
    *,
    facet: Facet = FACETS[0],
    layer: int = -1,
    short: int = SHORT_SIDE,
    antialias: bool = False,
) -> Features:
    """FEATURES of every single of an IMAGE: one facet of block `layer`, without CLS and registers.

    short: shorter side in pixels at which the ViT sees the images, rounded down to whole patches; the longer side
    follows, without a limit.
    """
    network = vit.on_device()
    sizes = network.architecture
    found = []
    for single in one_by_one(vit.images(image)):
        inputs = vit_input(single, short=short, long=None, antialias=antialias, patch=sizes.patch)
        vit_output = network.forward_features(inputs, layer)
        found.append(vit_output.on_grid(getattr(vit_output, facet)).float())
    values = torch.cat(found).to(comfy.model_management.intermediate_device())
    source = {"kind": "DINO", "model": vit.weights, "layer": str(layer % sizes.depth), "facet": facet}
    return Features(values, (image.shape[1], image.shape[2]), source)


def key_self_similarity(vit: ManagedVit, image: Tensor, layer: int = -1) -> Tensor:
    """The self-similarity of the keys as colors, IMAGE [B, h, w, 3]; images are seen at a shorter side of 224."""
    network = vit.on_device()
    patch = network.architecture.patch
    colored = [
        self_similarity_image(network.forward_features(normalize_imagenet(pillow_resized(single)), layer), patch)
        for single in one_by_one(vit.images(image))
    ]
    return torch.cat(colored).float() / 255


def structure_distances(
    vit: ManagedVit, output: Tensor, structure: Tensor, *, layer: int, resizing: Resizing
) -> MetricResult:
    """The structure distance of every image of an IMAGE to its own of another, or to the one that there is."""
    network = vit.on_device()
    outputs, structures = vit.images(output), vit.images(structure)
    distances = structure_distance(network, outputs, structures, layer=layer, resizing=resizing)
    return MetricResult(distances.tolist(), f"weights {vit.weights}, layer {layer}, resized by {resizing}")
