"""Null-text inversions of the small U-Net, as their tests make them."""

import dataclasses

import pytest
import torch
from appearance_transfer.tests.golden.reference import noted
from appearance_transfer.tests.host import small_world as world

STEPS = 4


def schedule_of(model, **options):
    from appearance_transfer.host.models.schedules import schedule_of

    return schedule_of(model, **options)


def invert(
    model, latent=None, *, steps=STEPS, updates=3, early_stop=0.0, guidance=7.5, prompts=None, sigmas=None, **options
):
    from appearance_transfer.host.inversion.null_text import invert_with_null_text
    from appearance_transfer.inversion.null_text import NullTextSettings

    latent = world.latents(3) if latent is None else latent
    settings = NullTextSettings(guidance=guidance, updates=updates, early_stop=early_stop)
    schedule = schedule_of(model, steps=steps, sigmas=sigmas)
    positive, negative = prompts or (world.prompt(1), world.prompt(2))
    with torch.inference_mode():
        return invert_with_null_text(model, latent, positive, negative, schedule, settings, **options)


def interrupted(model, after: int, **options):
    """What is kept when a user cancels after so many steps: ComfyUI's progress bar then raises."""
    import comfy.model_management
    from appearance_transfer.host.inversion import null_text as null_text_inverting

    def cancel(i: int, total: int, denoised: torch.Tensor) -> None:
        if i + 1 == after:
            raise comfy.model_management.InterruptProcessingException

    kept = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(null_text_inverting, "preview_callback", lambda model, steps: cancel)
        with pytest.raises(comfy.model_management.InterruptProcessingException):
            invert(model, keep_unfinished=kept.append, **options)
    return kept[0]


def reconstruct(model, inversion):
    from appearance_transfer.host.inversion.ddpm_and_ddim import reconstruct

    with torch.inference_mode():
        return reconstruct(model, inversion)


def plain(inversion):
    """The DDIM inversion inside, to be sampled at the same guidance."""
    return dataclasses.replace(inversion, null_text=None, null_text_losses=None)


def apart(a: torch.Tensor, b: torch.Tensor) -> float:
    return noted(float((a - b).norm() / b.norm()))
