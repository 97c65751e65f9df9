"""Every method of the comparison by its name: ours, ours with one thing changed, what it has to beat, and its bounds.

Imports ComfyUI's modules, so import it after ComfyUI has started.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

from torch import Tensor

from ...distillation.checkpoint import DistilledEditor
from ...distillation.storage import load
from ...host.editing.cross_attention_guider import CrossAttentionGuider, CrossAttentionSettings
from ...host.editing.distilling import apply_editor
from ...host.models.schedules import schedule_of
from ..transfers.baselines import from_noise
from ..transfers.sampled import resume
from .subjects import STEPS, Subjects
from .tasks import PLAIN_TO_STRIPED, Edit

CFG = 3.0
"""Of every method. At the reference code's 5 the pocket model repaints much more than the word that has changed."""
AMOUNT = 2.0
"""Of cross-attention guidance; the reference code's 0.1 moves next to nothing here."""
STRENGTH = 1.5
"""Of the edit direction; at the reference code's 1 red turns purple. All three were chosen on other scenes."""
OURS, DISTILLED = "ours", "distilled editor"

Method = Callable[[Subjects], Tensor]
"""-> the edited images [B, H, W, 3] in 0..1."""


@dataclass(frozen=True)
class Variant:
    """A way from an inversion to an edit. strength: how far the text moves along the direction; None swaps the word.

    empty_negative: guide away from no text, as text guidance usually does, instead of from the source's caption.
    steps: of inversion and edit.
    """

    name: str
    strength: float | None = STRENGTH
    regularized: bool = True
    amount: float = AMOUNT
    empty_negative: bool = False
    steps: int = STEPS


FEWER_STEPS = tuple(Variant(f"{OURS}, {steps} steps", steps=steps) for steps in (15, 10))
VARIANTS = (
    Variant(OURS),
    *FEWER_STEPS,
    Variant("ours, strength 1", strength=1.0),
    Variant("ours, amount 0.1", amount=0.1),
    Variant("ours, no regularization", regularized=False),
    Variant("ours, word swap", strength=None),
    Variant("ours, no guidance", amount=0.0),
    Variant("DDIM + word swap", strength=None, regularized=False, amount=0.0, empty_negative=True),
)


def edited(subjects: Subjects, variant: Variant) -> Tensor:
    """Invert, and sample anew under the edited text."""
    models = subjects.models
    if variant.steps != subjects.steps:
        subjects = replace(subjects, steps=variant.steps)
    inversion = subjects.regularized if variant.regularized else subjects.inverted
    text = subjects.swapped if variant.strength is None else subjects.apply_direction(variant.strength)
    negative = models.conditioning([""]) if variant.empty_negative else None
    settings = CrossAttentionSettings(CFG, variant.amount)
    return resume(models, inversion, CrossAttentionGuider(models.model, subjects.source, text, negative, settings))


def sdedit(subjects: Subjects, denoise: float) -> Tensor:
    """SDEdit (Meng et al., ICLR 2022): fresh noise on the image, taken away under the target's caption."""
    schedule = schedule_of(subjects.models.model, steps=STEPS, start_at=round(STEPS * (1 - denoise)))
    return from_noise(subjects.models, subjects.latents, schedule, subjects.target_captions, CFG)


def distilled(subjects: Subjects, editor: DistilledEditor) -> Tensor:
    """One pass of a distilled editor over the images."""
    return apply_editor(editor, subjects.images, seed=0, variation=1.0)


def _through_autoencoder(subjects: Subjects, images: str) -> Tensor:
    return subjects.models.decode(subjects.models.encode(getattr(subjects, images)))


def methods_of(edit: Edit, editor: Path | None) -> dict[str, Method]:
    """All methods; with the file of a distilled editor, of the edit that it has learned also that one."""
    if editor is None or edit != PLAIN_TO_STRIPED:
        return METHODS
    return METHODS | {DISTILLED: partial(distilled, editor=load(editor))}


UNEDITED: dict[str, Method] = {"identity, autoencoder": partial(_through_autoencoder, images="images")}
ANSWERED: dict[str, Method] = {"perfect answer, autoencoder": partial(_through_autoencoder, images="answers")}
METHODS: dict[str, Method] = {
    **UNEDITED,
    **ANSWERED,
    "SDEdit, denoise 0.5": partial(sdedit, denoise=0.5),
    "SDEdit, denoise 0.7": partial(sdedit, denoise=0.7),
    **{variant.name: partial(edited, variant=variant) for variant in VARIANTS},
}
COUNTED = (OURS, *(variant.name for variant in FEWER_STEPS))
"""Whose evaluations are counted, an inversion of their own included."""
ON_FEWER_SCENES = {variant.name: 16 for variant in FEWER_STEPS}
