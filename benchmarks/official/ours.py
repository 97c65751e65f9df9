"""The pack's own way through the same task: with the paper's settings, and with the defaults of its nodes.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from comfy.model_patcher import ModelPatcher
from torch import Tensor

from ...attention.windows import ADAIN, Window
from ...host.inversion.ddpm_and_ddim import invert_with_ddpm
from ...host.inversion.reference import noised_reference
from ...host.models.schedules import schedule_of
from ...host.transfer.adain_operation import AdaINOperation
from ...host.transfer.appearance_guider import AppearanceGuider, GuidanceSettings
from ...host.transfer.cross_image_attention import Appearance, CrossImageSettings, transfer_appearance
from ...host.transfer.noise_map_sampler import NoiseMapSampler
from ...inversion.defaults import PAPER_CFG, START_AT, STEPS
from ...inversion.types import Inversion
from ..transfers.sampled import sampled_latents
from .steps import ADAIN_FIRST, GUIDANCE_FIRST, STRUCTURE_UNTIL, percent_before, window_from
from .task import Task


def transfer(model: ModelPatcher, task: Task, *, replayed: bool = False) -> Tensor:
    """The output [1, C, h, w] in the VAE's scale. replayed: move the references on as the reference code does."""
    schedule = schedule_of(model, steps=task.steps, start_at=task.start_at)
    texts = task.positive, task.negative
    structure = invert_with_ddpm(model, task.structure, *texts, schedule, guidance=PAPER_CFG)
    if replayed:
        appearances = [
            invert_with_ddpm(model, image, *texts, schedule, guidance=PAPER_CFG) for image in task.appearances
        ]
    else:
        appearances = [noised_reference(model, image, *texts, schedule) for image in task.appearances]
    settings = CrossImageSettings(
        window=window_from(task, task.first),
        structure_end_percent=percent_before(task, STRUCTURE_UNTIL + 1),
        replayed=replayed,
    )
    guidance = GuidanceSettings.reference_code(window=window_from(task, min(GUIDANCE_FIRST, task.first)))
    return _sampled(model, task, structure, appearances, settings, guidance, window_from(task, ADAIN_FIRST))


def by_default(model: ModelPatcher, task: Task, *, find: bool = False) -> Tensor:
    """The same with the defaults of the nodes, of the schedule, too. find: objects and matches."""
    schedule = schedule_of(model, steps=STEPS, start_at=START_AT)
    texts = task.positive, task.negative
    structure = invert_with_ddpm(model, task.structure, *texts, schedule)
    appearances = [noised_reference(model, image, *texts, schedule) for image in task.appearances]
    settings = CrossImageSettings(find=find)
    return _sampled(model, task, structure, appearances, settings, GuidanceSettings(), ADAIN)


def _sampled(
    model: ModelPatcher,
    task: Task,
    structure: Inversion,
    appearances: list[Inversion],
    settings: CrossImageSettings,
    guidance: GuidanceSettings,
    adain_window: Window,
) -> Tensor:
    patched = transfer_appearance(model, [Appearance(one) for one in appearances], structure, settings)
    guider = AppearanceGuider(patched, task.positive, None, guidance)
    adain = AdaINOperation(appearances[0], None, None, adain_window)
    return sampled_latents(model, structure, guider, NoiseMapSampler(structure, adain))
