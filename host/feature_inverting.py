"""Inverting a feature of a ViT inside a node: with gradients, previews and a way to stop."""

import comfy.model_management
import comfy.utils
import torch
from torch import Tensor

from ..splice.feature_inversion import Feature, FeatureInversion, inversion_network, network_inputs
from ..splice.preprocess import pillow_resized
from .dino import ManagedVit
from .gradients import autograd_inside
from .previews import preview_of


def invert_feature(
    vit: ManagedVit,
    image: Tensor,
    feature: Feature,
    *,
    layer: int = -1,
    steps: int = 20_000,
    seed: int = 0,
    learning_rate: float = 0.01,
    preview_every: int = 100,
) -> tuple[Tensor, list[float]]:
    """A picture in which the ViT sees what it sees in the given one, for every picture of an IMAGE.

    Returns an IMAGE [B, h, w, 3] with a shorter side of 224, and the last loss of every picture. The host's interrupt
    stops within a step.
    """
    network = vit.on_device()
    progress = comfy.utils.ProgressBar(steps * len(image))
    pictures, losses = [], []
    with autograd_inside(network), torch.enable_grad():
        for index, wanted in enumerate(pillow_resized(vit.pictures(image))):
            wanted = wanted[None]
            inversion = FeatureInversion(
                inversion_network(seed).to(wanted), network, wanted, feature, layer=layer, learning_rate=learning_rate
            )
            for step, given in enumerate(network_inputs(*wanted.shape[-2:], steps, feature, seed)):
                comfy.model_management.throw_exception_if_processing_interrupted()
                given = given.to(wanted)
                loss = inversion.step(given)
                preview = preview_of(inversion.picture(given)) if step % preview_every == 0 else None
                progress.update_absolute(index * steps + step + 1, preview=preview)
            pictures.append(inversion.picture(given))
            losses.append(float(loss))
    return torch.cat(pictures).movedim(1, -1).to(comfy.model_management.intermediate_device()), losses
