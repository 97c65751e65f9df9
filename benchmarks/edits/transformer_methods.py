"""The edits by text on the pocket transformer: does pix2pix-zero's guidance keep the structure there, too?

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from functools import partial

from torch import Tensor

from ...host.runtime.model_runner import stock_guider
from ...host.transfer.flow_edit_sampler import FlowEditSampler
from ..transfers.flow_edited import edited_images
from .methods import ANSWERED, UNEDITED, Method, Variant, edited
from .subjects import Subjects

STEPS, SIZE = 20, 256
AMOUNT = 1.0
"""Of the guidance, by 4 tuning scenes of each of two edits (seeds from 970000 on), out of 0.1, 0.3 and 1."""
FLOW_EDIT_STEPS, NOISIEST, SOURCE_CFG, CFG = 24, 24 / 28, 1.5, 5.5  # as FlowEdit was published
SWAPPED = Variant("the word swapped", strength=None, regularized=False, amount=0.0, steps=STEPS)
GUIDED = Variant("the word swapped, guided", strength=None, regularized=False, amount=AMOUNT, steps=STEPS)


def flow_edited(subjects: Subjects) -> Tensor:
    """FlowEdit from the image's caption to the target's."""
    models = subjects.models
    guider = stock_guider(models.model, subjects.swapped, models.conditioning([""]), CFG)
    sampler = FlowEditSampler(subjects.source, SOURCE_CFG)
    return edited_images(models, subjects.latents, guider, sampler, NOISIEST, FLOW_EDIT_STEPS)


TRANSFORMER_METHODS: dict[str, Method] = {
    **UNEDITED,
    **ANSWERED,
    "FlowEdit": flow_edited,
    **{variant.name: partial(edited, variant=variant) for variant in (SWAPPED, GUIDED)},
}
"""All but the bounds are counted."""
