"""What a ViT sees in pictures, for the nodes that show, compare and match it."""

from typing import Literal

import comfy.model_management
import torch
from torch import Tensor

from ..correspondence.features import Features
from ..evaluation.measured import Measured
from ..evaluation.structure_distance import Resizing, structure_distance
from ..splice.preprocess import normalised, pillow_resized, vit_input
from ..splice.principal_components import self_similarity_picture
from .dino import ManagedVit
from .pictures import one_by_one

Facet = Literal["keys", "queries", "values", "tokens"]


def dino_features(
    vit: ManagedVit, image: Tensor, *, facet: Facet = "keys", layer: int = -1, short: int = 224, antialias: bool = False
) -> Features:
    """FEATURES of every picture of an IMAGE: one facet of block `layer`, without CLS and registers.

    short: shorter side in pixels at which the ViT sees the pictures, rounded down to whole patches; the longer side
    follows, without a limit.
    """
    network = vit.on_device()
    sizes = network.architecture
    found = []
    for picture in one_by_one(vit.pictures(image)):
        given = vit_input(picture, short=short, long=None, antialias=antialias, patch=sizes.patch)
        look = network.look(given, layer)
        found.append(look.on_grid(getattr(look, facet)).float())
    values = torch.cat(found).to(comfy.model_management.intermediate_device())
    source = {"kind": "DINO", "model": vit.weights, "layer": str(layer % sizes.depth), "facet": facet}
    return Features(values, (image.shape[1], image.shape[2]), source)


def key_self_similarity(vit: ManagedVit, image: Tensor, layer: int = -1) -> Tensor:
    """The self-similarity of the keys as colours, IMAGE [B, h, w, 3]; pictures are seen at a shorter side of 224."""
    network = vit.on_device()
    patch = network.architecture.patch
    shown = [
        self_similarity_picture(network.look(normalised(pillow_resized(picture)), layer), patch)
        for picture in one_by_one(vit.pictures(image))
    ]
    return torch.cat(shown).float() / 255


def structure_distances(
    vit: ManagedVit, output: Tensor, structure: Tensor, *, layer: int = -1, resizing: Resizing = "pillow"
) -> Measured:
    """The structure distance of every picture of an IMAGE to its own of another, or to the one that there is."""
    network = vit.on_device()
    outputs, structures = vit.pictures(output), vit.pictures(structure)
    distances = structure_distance(network, outputs, structures, layer=layer, resizing=resizing)
    return Measured(distances.tolist(), f"weights {vit.weights}, layer {layer}, resized by {resizing}")
