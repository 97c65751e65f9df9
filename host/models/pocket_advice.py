"""One sentence where the pocket checkpoint is given what it does not know."""

import logging

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...pocket.autoencoder import CHANNELS
from ...pocket.checkpoint import CHECKPOINT
from ...pocket.checkpoint_file import read_checkpoint
from ...pocket.familiarity import FAR, strangeness_of_latents
from .pocket_checkpoint import PocketFlux, PocketSD

log = logging.getLogger("appearance_transfer")


def tell_if_far(model: ModelPatcher, latent: Tensor) -> None:
    """Warn where the model is the pocket one and images of a LATENT [B, 4, h, w] are far from the pocket world."""
    if not isinstance(model.model.model_config, (PocketSD, PocketFlux)) or latent.shape[1] != CHANNELS:
        return
    found = strangeness_of_latents(read_checkpoint(CHECKPOINT).models(), model.model.process_latent_in(latent))
    far = int((found > FAR).sum())
    if far:
        log.warning(
            "%s far from what the pocket checkpoint knows, which is toy animals only (Pocket Scene): the result will "
            "not look like it. Load a checkpoint of your own with Load Checkpoint, or use Train Splice, which needs "
            "none.",
            "The image is" if len(found) == 1 else f"{far} of {len(found)} images are",
        )
