"""Inverting a feature of a ViT inside a node: with gradients, previews and a way to stop."""

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ...splice.feature_inversion import (
    LEARNING_RATE,
    STEPS,
    Feature,
    FeatureInversion,
    inversion_network,
    network_inputs,
)
from ...vit.preprocess import pillow_resized
from ..runtime.gradients import autograd_inside
from ..runtime.previews import preview_of
from .dino import ManagedVit

PREVIEW_EVERY = 100
"""Steps."""


def invert_feature(
    vit: ManagedVit,
    image: Tensor,
    feature: Feature,
    *,
    layer: int = -1,
    steps: int = STEPS,
    seed: int = 0,
    learning_rate: float = LEARNING_RATE,
    preview_every: int = PREVIEW_EVERY,
) -> tuple[Tensor, list[float]]:
    """An image in which the ViT sees what it sees in the given one, for every image of an IMAGE.

    Returns an IMAGE [B, h, w, 3] with a shorter side of 224, and the last loss of every image. ComfyUI's interrupt
    stops within a step.
    """
    network = vit.on_device()
    progress = comfy.utils.ProgressBar(steps * len(image))
    images, losses = [], []
    with autograd_inside(network), torch.enable_grad():
        for index, expected in enumerate(pillow_resized(vit.images(image))):
            expected = expected[None]
            inversion = FeatureInversion(
                inversion_network(seed).to(expected),
                network,
                expected,
                feature,
                layer=layer,
                learning_rate=learning_rate,
            )
            for step, network_input in enumerate(network_inputs(*expected.shape[-2:], steps, feature, seed)):
                comfy.model_management.throw_exception_if_processing_interrupted()
                network_input = network_input.to(expected)
                loss = inversion.step(network_input)
                preview = preview_of(inversion.image(network_input)) if step % preview_every == 0 else None
                progress.update_absolute(index * steps + step + 1, preview=preview)
            images.append(inversion.image(network_input))
            losses.append(float(loss))
    return torch.cat(images).movedim(1, -1).to(comfy.model_management.intermediate_device()), losses
