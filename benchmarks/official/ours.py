"""The pack's own way through the same task, with the settings of its nodes.

Imports the host's modules, so import it after the host has started.
"""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.windows import ADAIN, APPEARANCE_GUIDANCE, LEVEL_1, LEVEL_2, Window
from ...host.guider import AppearanceGuider, GuidanceSettings
from ...host.inverting import invert_with_ddpm
from ...host.latent_operations import AdaINOperation
from ...host.sampler import NoiseMapSampler
from ...host.schedules import schedule_of
from ...host.transfer import Appearance, Settings, transfer_appearance
from ..transfers.sampled import sampled_latents
from .task import Task


def transfer(model: ModelPatcher, task: Task, *, replayed: bool = False) -> Tensor:
    """The output [1, C, h, w] in the VAE's scale. replayed: move the references on as the released code does."""
    schedule = schedule_of(model, steps=task.steps, start_at=task.start_at)
    structure, *appearances = (
        invert_with_ddpm(model, picture, task.positive, task.negative, schedule)
        for picture in (task.structure, *task.appearances)
    )
    settings = Settings(
        fine=Window(task.first, LEVEL_1.last), coarse=Window(task.first, LEVEL_2.last), replayed=replayed
    )
    patched = transfer_appearance(model, [Appearance(one) for one in appearances], structure, settings)
    window = Window(min(APPEARANCE_GUIDANCE.first, task.first), APPEARANCE_GUIDANCE.last)
    guider = AppearanceGuider(patched, task.positive, None, GuidanceSettings(window=window))
    adain = AdaINOperation(appearances[0], None, None, ADAIN)
    return sampled_latents(model, structure, guider, NoiseMapSampler(structure, adain))
