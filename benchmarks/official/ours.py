"""The pack's own way through the same task, with the settings of its nodes.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...host.inversion.ddpm_and_ddim import invert_with_ddpm
from ...host.models.schedules import schedule_of
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
from ...host.transfer.cross_image_attention import Appearance, CrossImageSettings, transfer_appearance
from ...host.transfer.noise_map_sampler import NoiseMapSampler
from ...inversion.defaults import PAPER_CFG
from ..transfers.sampled import sampled_latents
from .steps import ADAIN_FIRST, GUIDANCE_FIRST, STRUCTURE_UNTIL, percent_before, window_from
from .task import Task


def transfer(model: ModelPatcher, task: Task, *, replayed: bool = False) -> Tensor:
    """The output [1, C, h, w] in the VAE's scale. replayed: move the references on as the reference code does."""
    schedule = schedule_of(model, steps=task.steps, start_at=task.start_at)
    structure, *appearances = (
        invert_with_ddpm(model, image, task.positive, task.negative, schedule, guidance=PAPER_CFG)
        for image in (task.structure, *task.appearances)
    )
    settings = CrossImageSettings(
        window=window_from(task, task.first),
        structure_end_percent=percent_before(task, STRUCTURE_UNTIL + 1),
        replayed=replayed,
    )
    patched = transfer_appearance(model, [Appearance(one) for one in appearances], structure, settings)
    window = window_from(task, min(GUIDANCE_FIRST, task.first))
    guider = AppearanceGuider(patched, task.positive, None, GuidanceSettings.reference_code(window=window))
    adain = AdaINOperation(appearances[0], None, None, window_from(task, ADAIN_FIRST))
    return sampled_latents(model, structure, guider, NoiseMapSampler(structure, adain))
