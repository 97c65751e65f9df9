"""Sampling with the unconditional embedding that null-text inversion found for every step."""

import logging
from typing import Any

import comfy.conds
import comfy.samplers
from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...inversion.schedule import nearest_sigma_index
from ...inversion.types import Inversion
from ..models.conditioning import unpack
from ..models.fingerprint import check_model

log = logging.getLogger("appearance_transfer")

CROSS_ATTENTION = "c_crossattn"


class NullTextGuider(comfy.samplers.CFGGuider):
    """Classifier-free guidance at `cfg` whose negative is, at every evaluation, the embedding of the nearest step.

    Raises ValueError for an inversion without embeddings, an interrupted one, one of another kind of model; and, when
    sampling starts, for noise levels or a batch that the embeddings were not found for.
    """

    def __init__(self, model: ModelPatcher, positive: list, inversion: Inversion, cfg: float):
        super().__init__(model)
        _check_complete(inversion)
        if not check_model(inversion.fingerprint, model):
            log.warning("The null-text embeddings were found with another checkpoint: they fit this one less well.")
        self.inversion = inversion
        self.set_conds(positive, unpack(inversion.conditioning, "negative"))
        self.set_cfg(cfg)

    def sample(self, noise: Tensor, latent_image: Tensor, sampler: Any, sigmas: Tensor, *args: Any, **kwargs: Any):
        inversion = self.inversion
        for sigma in map(float, sigmas):
            if sigma > 0 and inversion.schedule.index_of(sigma) is None:
                raise ValueError(
                    f"The null-text embeddings are for other noise levels: the run passes sigma {sigma:.4g}, which is "
                    "none of the inversion's. Connect one inversion to Null-Text Guider and to the node that samples."
                )
        if latent_image.shape[0] % inversion.images:
            raise ValueError(
                f"The null-text embeddings are of {inversion.images} image(s), but the latent holds "
                f"{latent_image.shape[0]}. Connect the same inversion to Null-Text Guider and to the node that samples."
            )
        return super().sample(noise, latent_image, sampler, sigmas, *args, **kwargs)

    def predict_noise(
        self,
        x: Tensor,
        timestep: Tensor,
        model_options: dict[str, Any] = {},  # noqa: B006 (ComfyUI's signature)
        seed: Any = None,
    ) -> Tensor:
        # Where the other prompt is: ComfyUI runs both in one forward only if their texts are on one device.
        positive_context = self.conds["positive"][0]["model_conds"].get(CROSS_ATTENTION)
        embedding = self.embedding_at(float(timestep.max()))
        negative = with_embedding(
            self.conds["negative"], embedding if positive_context is None else embedding.to(positive_context.cond)
        )
        return comfy.samplers.sampling_function(
            self.inner_model, x, timestep, negative, self.conds["positive"], self.cfg,
            model_options=model_options, seed=seed,
        )  # fmt: skip

    def embedding_at(self, sigma: float) -> Tensor:
        """The unconditional embedding [B or 1, T, C] of the step whose noise level is nearest."""
        return self.inversion.null_text[nearest_sigma_index(self.inversion.schedule.sigmas[:-1], sigma)]


def with_embedding(conds: list[dict[str, Any]], embedding: Tensor) -> list[dict[str, Any]]:
    """The processed conditioning of one side with another text embedding [B or 1, T, C]; all else is as it was.

    Raises ValueError where the model does not look at a text through cross-attention.
    """
    changed = []
    for cond in conds:
        if CROSS_ATTENTION not in cond["model_conds"]:
            raise ValueError(
                "This MODEL has no cross-attention to a text embedding, which null-text inversion changes. "
                "Load a checkpoint such as SD1.x, SD2.x or SDXL."
            )
        replaced = {**cond["model_conds"], CROSS_ATTENTION: comfy.conds.CONDCrossAttn(embedding)}
        changed.append({**cond, "model_conds": replaced})
    return changed


def _check_complete(inversion: Inversion) -> None:
    done = inversion.null_text_steps
    if not done:
        raise ValueError(
            f"This {inversion.method.upper()} inversion has no null-text embeddings. "
            "Connect an INVERSION made by Null-Text Inversion."
        )
    if done < inversion.steps:
        raise ValueError(
            f"This null-text inversion was interrupted: {done} of its {inversion.steps} steps have an embedding. "
            "Finish it first: connect it to continue_from of Null-Text Inversion."
        )
