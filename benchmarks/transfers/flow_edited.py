"""FlowEdit on the pocket transformer: the structure image is edited without inverting it, by a transfer or by a text.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from ...host.models.schedules import schedule_of
from ...host.runtime.model_runner import stock_guider
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.flow_edit_sampler import FlowEditSampler
from ..evaluation_counter import EvaluationCount
from .inverted import Models, noised
from .on_transformer import ADAIN, NOISIEST, START_AT, STEPS, Outputs, Transfer, text_of_structures
from .pair_guidance import TRUE, guidance_of
from .pairs import RenderedPairs

SEED = 42


@dataclass(frozen=True)
class FlowEdited:
    """A transfer that acts in the edited velocity alone. steps: equal ones, from `noisiest` to 0.

    transfer: with the appearance, its masks and matches; its guidance and number of steps are not used.
    source_cfg, cfg: of plain FlowEdit, from the text of the structure to the appearance's caption, without a transfer.
    """

    transfer: Transfer
    steps: int
    noisiest: float = NOISIEST
    source_cfg: float = 1.0
    cfg: float = 1.0

    def __call__(self, models: Models, truth: RenderedPairs) -> Outputs:
        schedule = schedule_of(models.model, steps=STEPS, start_at=START_AT)  # it is noised anew at levels between
        appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
        found = guidance_of(truth, self.transfer.masks, self.transfer.matches or TRUE)
        latent = models.encode(truth.structure.image)
        count = EvaluationCount(models.model.model.diffusion_model)
        text, nothing = text_of_structures(models, truth), models.conditioning([""])
        if self.transfer.settings is None:
            guider = stock_guider(models.model, models.conditioning(truth.appearance_captions), nothing, self.cfg)
            sampler = FlowEditSampler(text, self.source_cfg)
        else:
            guider = stock_guider(self.transfer.patched(models, appearance, found), text, nothing, 1.0)
            adain = AdaINOperation(appearance, found.masks.structure, found.masks.appearance, ADAIN)
            sampler = FlowEditSampler(between_steps=adain if self.transfer.adain else None)
        images = edited_images(models, latent, guider, sampler, self.noisiest, self.steps)
        count.close()
        return Outputs(images, sum(count.by_node.values()) / len(truth.pairs), found.evaluations)


def edited_images(
    models: Models, latent: Tensor, guider: Any, sampler: FlowEditSampler, noisiest: float, steps: int
) -> Tensor:
    """The images [B, H, W, 3] that equal steps from `noisiest` to 0 lead to."""
    sigmas = torch.linspace(noisiest, 0.0, steps + 1)
    return models.decode(guider.sample(torch.zeros_like(latent), latent, sampler, sigmas, disable_pbar=True, seed=SEED))
