"""Latent Deviation on the pocket transformer: the image itself is carried to where it matches, between the levels.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from dataclasses import dataclass

from ...attention.windows import Window
from ...host.inversion.ddpm_and_ddim import invert_with_ddim
from ...host.models.schedules import schedule_of
from ...host.runtime.model_runner import stock_guider
from ...host.transfer.latent_deviation import DeviationSampler, DeviationSettings
from ..evaluation_counter import EvaluationCount
from .fine_grained import UNTIL_LATER
from .inverted import Models, noised
from .on_transformer import Outputs, text_of_structures
from .pair_guidance import FOUND, TRUE, guidance_of
from .pairs import RenderedPairs
from .sampled import sample

NEARLY_ALL = Window(0.0, 0.8)


@dataclass(frozen=True)
class Deviated:
    """steps: of the whole schedule, through which the structure is inverted without text guidance and resumed. window:
    of the deviation; with few steps a longer one, chosen on 8 tuning pairs.
    """

    steps: int
    window: Window = UNTIL_LATER
    masks: str = TRUE
    matches: str = FOUND

    def __call__(self, models: Models, truth: RenderedPairs) -> Outputs:
        found = guidance_of(truth, self.masks, self.matches)
        count = EvaluationCount(models.model.model.diffusion_model)
        schedule = schedule_of(models.model, steps=self.steps)
        text, nothing = text_of_structures(models, truth), models.conditioning([""])
        latent = models.encode(truth.structure.image)
        structure = invert_with_ddim(models.model, latent, text, nothing, schedule)
        appearance = noised(models, truth.appearance.image, truth.appearance_nouns, schedule)
        sampler = DeviationSampler(
            structure,
            appearance,
            DeviationSettings(window=self.window),
            mask=found.masks.structure,
            appearance_mask=found.masks.appearance,
            correspondence=found.matches,
        )
        images = sample(models, structure, stock_guider(models.model, text, nothing, 1.0), sampler)
        count.close()
        return Outputs(images, sum(count.by_node.values()) / len(truth.pairs), found.evaluations)
